package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// updateService is an update service with one list of releases for each
// channel and architecture.
type updateService struct {
	mu     sync.Mutex
	nodes  map[string][]map[string]any
	status map[string]int
	asked  []string
}

func (u *updateService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.asked = append(u.asked, r.Header.Get("Accept")+" "+r.URL.RequestURI())
	if status := u.status[key(r.URL.Query())]; status != 0 {
		w.WriteHeader(status)
		return
	}
	_, _ = w.Write(u.answer(r.URL.Query()))
}

func key(q url.Values) string { return q.Get("channel") + " " + q.Get("arch") }

func (u *updateService) answer(q url.Values) []byte {
	nodes := u.nodes[key(q)]
	if nodes == nil {
		nodes = []map[string]any{}
	}
	text, err := json.Marshal(map[string]any{"version": 1, "nodes": nodes, "edges": [][2]int{}, "conditionalEdges": []any{}})
	if err != nil {
		panic(err)
	}
	return text
}

func services(ts *testscript.TestScript) map[string]*updateService {
	return ts.Value("services").(map[string]*updateService)
}

func cmdOffer(ts *testscript.TestScript, _ bool, args []string) {
	all := services(ts)
	u := all[args[0]]
	if u == nil {
		u = &updateService{nodes: map[string][]map[string]any{}, status: map[string]int{}}
		all[args[0]] = u
		srv := httptest.NewServer(u)
		ts.Defer(srv.Close)
		ts.Setenv(args[0], srv.URL+"/graph")
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	at := args[1] + " " + args[2]
	if status, err := strconv.Atoi(args[4]); err == nil {
		u.status[at] = status
		return
	}
	u.nodes[at] = append(u.nodes[at], map[string]any{
		"version": args[3], "payload": args[4],
		"metadata": map[string]string{"io.openshift.upgrades.graph.release.channels": args[1]},
	})
}

func cmdSave(ts *testscript.TestScript, _ bool, args []string) {
	u := services(ts)[args[0]]
	u.mu.Lock()
	defer u.mu.Unlock()
	answer := u.answer(url.Values{"channel": {args[1]}, "arch": {args[2]}})
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), answer, 0o600))
}

func cmdAsked(ts *testscript.TestScript, _ bool, args []string) {
	u := services(ts)[args[0]]
	u.mu.Lock()
	defer u.mu.Unlock()
	ts.Check(os.WriteFile(ts.MkAbs("asked"), []byte(strings.Join(u.asked, "\n")+"\n"), 0o600))
	u.asked = nil
}
