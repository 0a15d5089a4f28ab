// Package ocdir reads and writes the directories that oc fills when the
// destination is file://, as the two storage contracts of a local registry: a
// cas.Store and a kv.Store over the same tree. For a repository a/b/c (what oc
// does, reference oc.md 8):
//
//	v2/a/b/c/blobs/sha256:<hex>        layers, configs and manifests
//	v2/a/b/c/manifests/sha256:<hex>    hard link to the manifest in blobs/
//	v2/a/b/c/manifests/<tag>           symbolic link with the text sha256:<hex>
//
// On Windows oc writes a hyphen where the colon of a digest would be. There is
// no list of contents, no media type and no checksum besides the names, so all
// facts are derived from the tree when they are asked for.
//
// Media come from elsewhere and may be damaged or hostile. Only regular files
// are opened, the text of a link is parsed and never followed, and names that
// the formats do not have are passed over. What copying programs do to a tree
// is understood: links that became files with the manifest or the link text in
// them, manifests without their copy in blobs/, colons that became something
// else, left-over temporary files.
//
// What is being written lies under airbridge/ of the same root until it is
// complete, verified and durable, so that oc never sees half of anything. The
// directory goes away again when it is empty.
package ocdir
