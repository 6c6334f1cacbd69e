// Prints what `docker build --check` says of a Dockerfile, by BuildKit's own linter, without a builder or a registry: one
// finding a line. The base image is taken for an empty one of Linux on amd64.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

type emptyImage struct{}

func (emptyImage) ResolveImageConfig(_ context.Context, reference string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	config := []byte(`{"architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"]}}`)
	return reference, digest.FromBytes(config), config, nil
}

func main() {
	content, err := os.ReadFile(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	source := llb.NewSourceMap(nil, os.Args[1], "Dockerfile", content)
	source.Definition = &llb.Definition{} // which only a builder has
	platform := ocispecs.Platform{OS: "linux", Architecture: "amd64"}
	results, err := dockerfile2llb.DockerfileLint(context.Background(), content, dockerfile2llb.ConvertOpt{
		Config:         dockerui.Config{},
		MetaResolver:   emptyImage{},
		TargetPlatform: &platform,
		SourceMap:      source,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if results.Error != nil {
		fmt.Println("error:", results.Error.Message)
	}
	for _, warning := range results.Warnings {
		fmt.Printf("line %d: %s: %s\n", line(warning.Location), warning.RuleName, warning.Detail)
	}
	if results.Error != nil || len(results.Warnings) > 0 {
		os.Exit(1)
	}
}

func line(location *pb.Location) int32 {
	if location == nil || len(location.Ranges) == 0 {
		return 0
	}
	return location.Ranges[0].Start.Line
}
