package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// catalogCommands are what the scripts on operator catalogs can say.
var catalogCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"catalog": cmdCatalog, // catalog VAR repository tag [tagged|sqlite|multi|nolabel|built]...: pushes a catalog with all its images: CATALOG=ref, CATALOG_DIGEST, IMAGE0.. of its images, LAYER0.. of the index image, or of its first one
	"configs": cmdConfigs, // configs VAR repository tag DIR: pushes an index image with the files of a directory as its catalog
}

func cmdCatalog(ts *testscript.TestScript, _ bool, args []string) {
	f := registries(ts)[args[0]]
	spec := sample.CatalogSpec{Host: f.addr, Packages: 2, Bundles: 2}
	for _, word := range args[3:] {
		switch word {
		case "tagged":
			spec.Tagged = true
		case "sqlite":
			spec.SQLite = true
		case "nolabel":
			spec.NoLabel = true
		case "built":
			spec.Built = true
		case "multi":
			spec.Platforms = append(spec.Platforms, sample.AMD64, sample.ARM64)
		default:
			ts.Fatalf("a catalog is not %s", word)
		}
	}
	c := sample.New(5).Catalog(spec)
	find := func(name string) (repo.Repo, error) { return f.reg.Repo(name) }
	ts.Check(c.Push(context.Background(), open(ts, args[0], args[1]), args[2], find))
	ts.Setenv("CATALOG", f.addr+"/"+args[1]+":"+args[2])
	ts.Setenv("CATALOG_DIGEST", c.Index.Desc.Digest.String())
	index := c.Index
	if len(index.Children) > 0 {
		index = index.Children[0]
	}
	for i, layer := range index.Blobs[1:] { // but the config
		ts.Setenv(fmt.Sprintf("LAYER%d", i), layer.Desc.Digest.String())
	}
	for i, im := range c.Images {
		ts.Setenv(fmt.Sprintf("IMAGE%d", i), im.Image.Desc.Digest.String())
	}
}

func cmdConfigs(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[3])
	var files []sample.File
	ts.Check(filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := os.ReadFile(name)
		files = append(files, sample.File{Name: "configs" + strings.TrimPrefix(filepath.ToSlash(name), filepath.ToSlash(dir)), Body: body})
		return err
	}))
	index := sample.NewImage(sample.ImageSpec{
		Labels: map[string]string{sample.ConfigsLabel: "/configs"}, Layers: []sample.Blob{sample.New(9).Layer(2000), sample.Files(files...)},
	})
	push(ts, index, args)
	ts.Setenv("CATALOG", registries(ts)[args[0]].addr+"/"+args[1]+":"+args[2])
}
