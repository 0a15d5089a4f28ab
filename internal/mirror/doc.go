// Package mirror has the workflows: what happens, in which order, when images
// or a release are mirrored. It is the only package that knows all the steps;
// the parts it puts together do not know of each other.
package mirror
