package mirror

import (
	"context"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/airbridge-dev/airbridge/internal/oci"
	"github.com/airbridge-dev/airbridge/internal/repo"
	"github.com/airbridge-dev/airbridge/internal/server"
	"github.com/airbridge-dev/airbridge/internal/testkit/sample"
)

// signed is a list with something attached to everything that can have it.
type signed struct {
	list              *sample.Image
	sig, childSig     *sample.Image
	bundle, ofBundle  *sample.Image
	attestationOfList *sample.Image
	bill              *sample.Image // of materials, of the second child
}

// pushSigned puts a signed list under a tag.
func (w *world) pushSigned(at string, seed uint64) signed {
	s := signed{list: sample.NewIndex(sample.OCI, image(seed, sample.AMD64), image(seed+1, sample.ARM64))}
	s.sig, s.childSig = sample.Signature(s.list.Desc.Digest), sample.Signature(s.list.Children[0].Desc.Digest)
	s.attestationOfList = sample.Signature(s.sig.Desc.Digest)
	s.bill = sample.Signature(s.list.Children[1].Desc.Digest)
	s.bundle = sample.Referrer(s.list, "{\"seed\":1}")
	s.ofBundle = sample.Referrer(s.bundle, "{\"of\":\"bundle\"}")
	w.push(at, s.list)
	base := at[:strings.LastIndex(at, ":")]
	w.push(base+":"+sample.CosignTag(s.list.Desc.Digest, ".sig"), s.sig)
	w.push(base+":"+sample.CosignTag(s.list.Children[0].Desc.Digest, ".sig"), s.childSig)
	w.push(base+":"+sample.CosignTag(s.list.Desc.Digest, ".att"), s.attestationOfList)
	w.push(base+":"+sample.CosignTag(s.list.Children[1].Desc.Digest, ".sbom"), s.bill)
	w.pushByDigest(base, s.bundle, s.ofBundle)
	return s
}

func (w *world) pushByDigest(at string, images ...*sample.Image) {
	w.t.Helper()
	for _, im := range images {
		if err := im.Push(w.t.Context(), w.source(at)); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) source(at string) repo.Repo {
	w.t.Helper()
	r := wish(at, at).Source
	rp, err := w.host(r.Host).Repo(r.Path)
	if err != nil {
		w.t.Fatal(err)
	}
	return rp
}

// lacks names what a repository does not have of what is attached.
func (s signed) lacks(ctx context.Context, rp repo.Repo) []string {
	var out []string
	want := map[string]*sample.Image{
		sample.CosignTag(s.list.Desc.Digest, ".sig"):             s.sig,
		sample.CosignTag(s.list.Children[0].Desc.Digest, ".sig"): s.childSig,
		sample.CosignTag(s.list.Desc.Digest, ".att"):             s.attestationOfList,

		sample.CosignTag(s.list.Children[1].Desc.Digest, ".sbom"): s.bill,
	}
	for tag, im := range want {
		_, body, err := rp.Manifest(ctx, repo.ByTag(tag))
		if err != nil || string(body) != string(im.Body) {
			out = append(out, tag)
		}
	}
	for subject, im := range map[*sample.Image]*sample.Image{s.list: s.bundle, s.bundle: s.ofBundle} {
		found := false
		for d, err := range rp.Referrers(ctx, subject.Desc.Digest) {
			found = found || err == nil && d.Digest == im.Desc.Digest
		}
		if !found {
			out = append(out, "referrer of "+subject.Desc.Digest.String())
		}
	}
	slices.Sort(out)
	return out
}

func (w *world) copy(o CopyOptions, wishes ...Wish) *Result {
	w.t.Helper()
	r, err := Copy(w.t.Context(), w.regs, wishes, o, w.observer())
	if err != nil {
		w.t.Fatal(err, w.told)
	}
	return r
}

func (w *world) open(at string) repo.Repo {
	w.t.Helper()
	_, rp, err := openPlace(w.t, w.regs, wish(at, at).Source)
	if err != nil {
		w.t.Fatal(err)
	}
	return rp
}

// What is attached goes along however the image is named: by tag, by digest,
// by a wildcard that does not match it, and on the second leg from a disk.
func TestWhatIsAttachedGoesAlong(t *testing.T) {
	for _, how := range []string{"tag", "digest", "wildcard"} {
		t.Run(how, func(t *testing.T) {
			w := newWorld(t)
			s := w.pushSigned("src.test/r/x:4.1", 1)
			var wishes []Wish
			switch how {
			case "tag":
				wishes = []Wish{wish("src.test/r/x:4.1", "file://m/x:4.1")}
			case "digest":
				wishes = []Wish{wish("src.test/r/x@"+s.list.Desc.Digest.String(), "file://m/x:4.1")}
			case "wildcard":
				wishes = w.expand("src.test/r/x:4*", "file://m/x")
			}
			result := w.copy(CopyOptions{}, wishes...)
			if got := s.lacks(t.Context(), w.open("file://m/x")); len(got) > 0 {
				t.Errorf("on the disk there is no %v", got)
			}
			if r := result.Report; r.Copied != 1 || r.Attached != 6 || result.Plan.Totals().Images != 1 {
				t.Errorf("report %+v, totals %+v", r, result.Plan.Totals())
			}
			w.copy(CopyOptions{}, w.expand("file://m/x:4*", "dst.test/far/x")...)
			if got := s.lacks(t.Context(), w.open("dst.test/far/x")); len(got) > 0 {
				t.Errorf("on the far side there is no %v", got)
			}
		})
	}
}

func (w *world) expand(src, dst string) []Wish {
	w.t.Helper()
	wishes, err := Expand(w.t.Context(), w.regs, mappings(w.t, src, dst), ExpandOptions{}, w.observer())
	if err != nil {
		w.t.Fatal(err)
	}
	return wishes
}

func TestNothingAttachedGoesAlongWithoutSignatures(t *testing.T) {
	w := newWorld(t)
	s := w.pushSigned("src.test/r/x:t", 1)
	result := w.copy(CopyOptions{Plan: PlanOptions{NoSignatures: true}}, wish("src.test/r/x:t", "dst.test/y:t"))
	if got := s.lacks(t.Context(), w.open("dst.test/y")); len(got) != 6 || len(result.Plan.Items) != 1 {
		t.Errorf("only %v lack, %d items", got, len(result.Plan.Items))
	}
}

// A signature that was asked for by name is not planned a second time.
func TestAttachedThatWasAskedForIsPlannedOnce(t *testing.T) {
	w := newWorld(t)
	s := w.pushSigned("src.test/r/x:t", 1)
	wishes := w.expand("src.test/r/x:*", "dst.test/y")
	result := w.copy(CopyOptions{}, wishes...)
	if got := s.lacks(t.Context(), w.open("dst.test/y")); len(got) > 0 || len(result.Plan.Items) != len(wishes)+2 {
		t.Errorf("there is no %v; %d items of %d wishes", got, len(result.Plan.Items), len(wishes))
	}
}

// An image may be signed after it was mirrored, or mirrored by a tool that
// leaves signatures behind. One pinned by digest is not looked at again.
func TestSignaturesOfAnImageThatIsThere(t *testing.T) {
	for _, c := range []struct {
		name, source string
		release      bool
		copied       int
	}{{"by tag", "src.test/r/x:t", false, 1}, {"by digest", "src.test/r/x@DIGEST", false, 0}, {"a release by digest", "src.test/r/x@DIGEST", true, 1}} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			im := image(1, sample.AMD64)
			w.push("src.test/r/x:t", im)
			w.push("dst.test/y:t", im)
			w.push("src.test/r/x:"+sample.CosignTag(im.Desc.Digest, ".sig"), sample.Signature(im.Desc.Digest))
			source := strings.ReplaceAll(c.source, "DIGEST", im.Desc.Digest.String())
			wanted := wish(source, "dst.test/y:t")
			wanted.Last = c.release
			r := w.copy(CopyOptions{}, wanted).Report
			if r.Copied != 0 || r.Attached != c.copied {
				t.Errorf("%+v, want %d attached", r, c.copied)
			}
		})
	}
}

// noReferrers is a registry from before the referrers API.
type noReferrers struct {
	next http.Handler
	mu   sync.Mutex
	log  []string
}

func (n *noReferrers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	n.log = append(n.log, r.Method+" "+r.URL.Path)
	n.mu.Unlock()
	if strings.Contains(r.URL.Path, "/referrers/") {
		http.NotFound(w, r)
		return
	}
	n.next.ServeHTTP(unaware{w}, r)
}

// unaware never says that it knows what a subject is.
type unaware struct{ http.ResponseWriter }

func (u unaware) WriteHeader(code int) {
	u.Header().Del("OCI-Subject")
	u.ResponseWriter.WriteHeader(code)
}

func (n *noReferrers) count(part string) (c int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, line := range n.log {
		if strings.Contains(line, part) {
			c++
		}
	}
	return c
}

// Without the API referrers lie under a tag, which is only asked for where the
// list of tags has it; that there is no API is found out once.
func TestReferrersOfARegistryWithoutTheAPI(t *testing.T) {
	w := newWorld(t)
	old := &noReferrers{next: server.New(w.host("behind.test"), server.Options{Now: time.Now})}
	srv := httptest.NewServer(old)
	t.Cleanup(srv.Close)
	host := strings.TrimPrefix(srv.URL, "http://")
	w.hosts[host] = plainClient().Registry(host)
	s := w.pushSigned(host+"/r/x:t", 1)
	for i := range uint64(5) {
		w.push(host+"/r/x:t"+string('a'+rune(i)), image(10+i, sample.AMD64))
	}
	old.log = nil
	w.copy(CopyOptions{}, w.expand(host+"/r/x:t*", "dst.test/y")...)
	if n := old.count("/referrers/"); n != 1 {
		t.Errorf("the API was asked %d times", n)
	}
	if n := old.count("HEAD "); n != 0 {
		t.Errorf("%d tags were guessed: %v", n, old.log)
	}
	if got := s.lacks(t.Context(), w.open("dst.test/y")); len(got) > 0 {
		t.Errorf("there is no %v", got)
	}
}

// Tags are not guessed where a list of them takes fewer requests.
func TestTagsAreListedRatherThanGuessed(t *testing.T) {
	w := newWorld(t)
	near := &noReferrers{next: server.New(w.host("behind.test"), server.Options{Now: time.Now})}
	srv := httptest.NewServer(near)
	t.Cleanup(srv.Close)
	host := strings.TrimPrefix(srv.URL, "http://")
	w.hosts[host] = plainClient().Registry(host)
	s := w.pushSigned(host+"/r/x:t", 1)
	wishes := []Wish{wish(host+"/r/x:t", "dst.test/y:t")}
	for i := range uint64(5) {
		im := image(10+i, sample.AMD64)
		w.push(host+"/r/x:u"+string('a'+rune(i)), im)
		wishes = append(wishes, wish(host+"/r/x@"+im.Desc.Digest.String(), "dst.test/y:u"+string('a'+rune(i))))
	}
	near.log = nil
	w.copy(CopyOptions{}, wishes...)
	if lists, guesses := near.count("/tags/list"), near.count("HEAD "); lists != 1 || guesses != 0 {
		t.Errorf("%d lists, %d guesses: %v", lists, guesses, near.log)
	}
	if got := s.lacks(t.Context(), w.open("dst.test/y")); len(got) > 0 {
		t.Errorf("there is no %v", got)
	}
}

// A list that is long, or that is refused, is left for asking.
func TestTagsAreGuessedWhereTheListIsLong(t *testing.T) {
	for name, listing := range map[string]func(http.ResponseWriter, *http.Request){
		"long": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", `</v2/r/x/tags/list?last=`+r.URL.Query().Get("last")+`x>; rel="next"`)
			_, _ = w.Write([]byte(`{"name":"r/x","tags":["a"]}`))
		},
		"refused": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			behind := server.New(w.host("behind.test"), server.Options{Now: time.Now})
			lists := 0
			srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/tags/list") {
					lists++
					listing(rw, r)
					return
				}
				behind.ServeHTTP(rw, r)
			}))
			t.Cleanup(srv.Close)
			host := strings.TrimPrefix(srv.URL, "http://")
			w.hosts[host] = plainClient().Registry(host)
			s := w.pushSigned(host+"/r/x:t", 1)
			lists = 0
			w.copy(CopyOptions{}, wish(host+"/r/x:t", "dst.test/y:t"))
			if got := s.lacks(t.Context(), w.open("dst.test/y")); len(got) > 0 || lists != 1 {
				t.Errorf("there is no %v; %d lists", got, lists)
			}
		})
	}
}

// picky is a registry that takes no signatures while it is broken.
type picky struct {
	repo.Registry
	broken *bool
}

func (p picky) Repo(name string) (repo.Repo, error) {
	r, err := p.Registry.Repo(name)
	return pickyRepo{r, p.broken}, err
}

type pickyRepo struct {
	repo.Repo
	broken *bool
}

func (p pickyRepo) PutManifest(ctx context.Context, desc oci.Descriptor, body []byte, tags ...string) error {
	if *p.broken && len(tags) > 0 && strings.HasSuffix(tags[0], ".sig") {
		return oci.ErrDenied
	}
	return p.Repo.PutManifest(ctx, desc, body, tags...)
}

// An image does not come without its signature: it would look complete, and the
// next run would not look for one. Others go on, if that is wanted.
func TestImageWaitsForWhatIsAttached(t *testing.T) {
	for _, goOn := range []bool{false, true} {
		w := newWorld(t)
		s := w.pushSigned("src.test/r/x:t", 1)
		other := image(5, sample.AMD64)
		w.push("src.test/r/z:t", other)
		broken := true
		w.hosts["dst.test"] = picky{w.host("dst.test"), &broken}
		wishes := []Wish{wish("src.test/r/x@"+s.list.Desc.Digest.String(), "dst.test/y:t"), wish("src.test/r/z:t", "dst.test/z:t")}
		o := CopyOptions{Plan: PlanOptions{ContinueOnError: goOn}}
		if _, err := Copy(t.Context(), w.regs, wishes, o, w.observer()); err == nil {
			t.Error("no error")
		}
		if _, err := w.open("dst.test/y").Resolve(t.Context(), repo.ByTag("t")); err == nil {
			t.Error("the image is there without its signature")
		}
		if _, err := w.open("dst.test/z").Resolve(t.Context(), repo.ByTag("t")); (err == nil) != goOn {
			t.Errorf("going on %v, the other image: %v", goOn, err)
		}
		broken = false
		w.copy(o, wishes...)
		if got := s.lacks(t.Context(), w.open("dst.test/y")); len(got) > 0 {
			t.Errorf("there is no %v", got)
		}
	}
}

// down is a registry whose tags of signatures cannot be read.
type down struct{ repo.Registry }

func (d down) Repo(name string) (repo.Repo, error) {
	r, err := d.Registry.Repo(name)
	return downRepo{r}, err
}

type downRepo struct{ repo.Repo }

func (d downRepo) Resolve(ctx context.Context, t repo.Target) (oci.Descriptor, error) {
	if strings.HasSuffix(t.Tag, ".sig") {
		return oci.Descriptor{}, oci.ErrDenied
	}
	return d.Repo.Resolve(ctx, t)
}

// A signature that may be there and cannot be read is a failure, not a loss.
func TestSignatureThatCannotBeReadIsAFailure(t *testing.T) {
	w := newWorld(t)
	w.push("src.test/r/x:t", image(1, sample.AMD64))
	w.hosts["src.test"] = down{w.host("src.test")}
	_, err := Copy(t.Context(), w.regs, []Wish{wish("src.test/r/x:t", "dst.test/y:t")}, CopyOptions{}, w.observer())
	if err == nil || !strings.Contains(err.Error(), "looking for signatures of src.test/r/x:t") {
		t.Errorf("error %v", err)
	}
}

// endless is a registry whose lists of referrers never end.
type endless struct{ repo.Registry }

func (e endless) Repo(name string) (repo.Repo, error) {
	r, err := e.Registry.Repo(name)
	return endlessRepo{r}, err
}

type endlessRepo struct{ repo.Repo }

func (endlessRepo) Referrers(context.Context, oci.Digest) iter.Seq2[oci.Descriptor, error] {
	return func(yield func(oci.Descriptor, error) bool) {
		for n := 0; yield(oci.Descriptor{Digest: oci.FromBytes(strconv.AppendInt(nil, int64(n), 10))}, nil); n++ {
		}
	}
}

func TestReferrersWithoutEndAreAFailure(t *testing.T) {
	w := newWorld(t)
	w.push("src.test/r/x:t", image(1, sample.AMD64))
	w.hosts["src.test"] = endless{w.host("src.test")}
	_, err := Copy(t.Context(), w.regs, []Wish{wish("src.test/r/x:t", "dst.test/y:t")}, CopyOptions{}, w.observer())
	if err == nil || !strings.Contains(err.Error(), "has more than 10000 referrers") {
		t.Errorf("error %v", err)
	}
}
