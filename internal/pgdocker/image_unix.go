//go:build unix

package pgdocker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"

	"github.com/ory/dockertest/v3/docker"
)

// imageVariable names the environment variable that selects an image.
const imageVariable = "PGDBM_TEST_IMAGE"

const (
	repository     = "postgres"
	defaultVersion = "17"
	oldestVersion  = 13
)

// checkImage reports whether an image that the user has named can have a version: its tag has to say so.
func checkImage(image, version string) error {
	if image == "" || version == "" {
		return nil
	}
	if _, tag := docker.ParseRepositoryTag(image); majorVersion(tag) != version {
		return fmt.Errorf("the tag of %s=%s does not say that it is PostgreSQL %s; set it to an image with a tag like %[3]s",
			imageVariable, image, version)
	}
	return nil
}

// findImage returns the name of an image that the engine has, after pulling it if need be.
func findImage(ctx context.Context, client *docker.Client, version string) (string, error) {
	image := os.Getenv(imageVariable)
	if image == "" {
		list, err := client.ListImages(docker.ListImagesOptions{Filters: map[string][]string{"reference": {repository}}, Context: ctx})
		if err != nil {
			return "", fmt.Errorf("asking the Docker engine for images: %w", err)
		}
		var tags []string
		for _, entry := range list {
			for _, name := range entry.RepoTags {
				_, tag := docker.ParseRepositoryTag(name)
				tags = append(tags, tag)
			}
		}
		if tag := bestTag(tags, version); tag != "" {
			return repository + ":" + tag, nil
		}
		image = repository + ":" + defaultVersion
		if version != "" {
			image = repository + ":" + version
		}
	}
	switch _, err := client.InspectImage(image); {
	case err == nil:
		return image, nil
	case !errors.Is(err, docker.ErrNoSuchImage):
		return "", fmt.Errorf("asking the Docker engine for the image %s: %w", image, err)
	}
	return image, pull(ctx, client, image)
}

func pull(ctx context.Context, client *docker.Client, image string) error {
	ctx, cancel := context.WithTimeout(ctx, pullLimit)
	defer cancel()
	name, tag := docker.ParseRepositoryTag(image)
	if tag == "" {
		tag = "latest" // else the engine pulls all of them
	}
	fmt.Fprintf(os.Stderr, "pulling %s:%s\n", name, tag)
	err := client.PullImage(docker.PullImageOptions{Repository: name, Tag: tag, Context: ctx}, docker.AuthConfiguration{})
	if err != nil {
		return fmt.Errorf("the Docker engine has no image %s and cannot pull it (%w); pull it, or set %s to one that it has",
			image, err, imageVariable)
	}
	return nil
}

// bestTag returns the tag with the highest version, "" if there is none that will do. Tags such as latest say nothing, so they
// come last, and do not do if a version is asked for.
func bestTag(tags []string, version string) (best string) {
	highest := -1
	for _, tag := range tags {
		major := majorVersion(tag)
		number, _ := strconv.Atoi(major) // "" is 0
		switch {
		case tag == "<none>", version != "" && major != version, major != "" && number < oldestVersion:
		case number > highest, number == highest && len(tag) < len(best): // 17 rather than 17-alpine
			best, highest = tag, number
		}
	}
	return best
}

var versionInTag = regexp.MustCompile(`^(\d{1,4})(?:[.-]|$)`)

// majorVersion returns the 17 of "17", "17.5" and "17-alpine", "" if the tag has none.
func majorVersion(tag string) string {
	match := versionInTag.FindStringSubmatch(tag)
	if match == nil {
		return ""
	}
	return match[1]
}
