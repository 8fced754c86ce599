// Command loadgen puts a load of S3 requests on one server and prints what it measured as one JSON object.
//
// Each of N connections sends one request after another for a time, or until a number of requests is done. Keys of the
// user come from the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN), never from arguments; so
// do the tokens of WorkspacesIO's users (WIO_TOKENS, separated by spaces), which the connections use in turn.
package main

import (
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	randv2 "math/rand/v2"
	"net/url"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type options struct {
	workload, endpoint, bucket, keys, region, payload string
	keyCount, size, requests                          int64
	connections, maxKeys                              int
	duration, warmup                                  time.Duration
	anonymous, reconnect                              bool
}

// report is what is printed. Times are milliseconds, of whole requests: from sending to the last byte of the answer.
type report struct {
	Workload          string  `json:"workload"`
	Connections       int     `json:"connections"`
	Requests          int     `json:"requests"`
	Seconds           float64 `json:"seconds"`
	RequestsPerSecond float64 `json:"requests_per_second"`
	BytesPerSecond    float64 `json:"bytes_per_second"`
	P50               float64 `json:"p50_ms"`
	P99               float64 `json:"p99_ms"`
	Max               float64 `json:"max_ms"`
	First             float64 `json:"first_ms"`     // the slowest first request of a connection
	LaterMax          float64 `json:"later_max_ms"` // the slowest of all others
	Errors            int     `json:"errors"`
	FirstError        string  `json:"first_error,omitempty"`
}

// tally is what one connection did after the warm-up.
type tally struct {
	took       []time.Duration // in the order of the requests
	bytes      int64
	errors     int
	firstError error
}

func parseOptions() *options {
	o := &options{}
	flag.StringVar(&o.workload, "workload", "get", "get, put, list, assume-role or credential")
	flag.StringVar(&o.endpoint, "endpoint", "", "http://HOST:PORT")
	flag.StringVar(&o.bucket, "bucket", "", "bucket (for -anonymous: first part of the path)")
	flag.StringVar(&o.keys, "keys", "", "key pattern with one verb such as %06d; for list the prefix")
	flag.StringVar(&o.region, "region", "us-east-1", "region of the signature")
	flag.StringVar(&o.payload, "payload", "signed", "put: signed (SHA-256 of the body) or unsigned")
	flag.Int64Var(&o.keyCount, "key-count", 1, "how many keys the pattern makes, or the listing must name")
	flag.Int64Var(&o.size, "size", -1, "bytes of an object: written by put, checked by get")
	flag.Int64Var(&o.requests, "requests", 0, "stop after so many requests in all (0: by -duration)")
	flag.IntVar(&o.connections, "connections", 1, "connections, each with one request at a time")
	flag.IntVar(&o.maxKeys, "max-keys", 1000, "list: keys on a page")
	flag.DurationVar(&o.duration, "duration", 5*time.Second, "how long to measure")
	flag.DurationVar(&o.warmup, "warmup", 0, "how long to run before measuring (not with -requests)")
	flag.BoolVar(&o.anonymous, "anonymous", false, "send no signature")
	flag.BoolVar(&o.reconnect, "reconnect", false, "open a new connection for every request, so that any process answers")
	flag.Parse()
	return o
}

func (o *options) newClient(number int, payload []byte, next *atomic.Int64) (*client, error) {
	address, err := url.Parse(o.endpoint)
	if err != nil {
		return nil, err
	}
	if address.Scheme != "http" || address.Host == "" {
		return nil, fmt.Errorf("-endpoint must be http://HOST:PORT, not %q", o.endpoint)
	}
	c := &client{
		options:     o,
		connection:  newConnection(address.Host),
		random:      randv2.New(randv2.NewPCG(randv2.Uint64(), randv2.Uint64())),
		payload:     payload,
		payloadHash: unsignedPayload,
		next:        next,
		signer: &signer{
			accessKey:    os.Getenv("AWS_ACCESS_KEY_ID"),
			secretKey:    os.Getenv("AWS_SECRET_ACCESS_KEY"),
			sessionToken: os.Getenv("AWS_SESSION_TOKEN"),
			region:       o.region,
			service:      "s3",
			host:         address.Host,
		},
	}
	if o.payload == "signed" {
		c.payloadHash = hexSHA256(payload)
	}
	if o.workload == "assume-role" {
		c.signer.service = "sts"
	}
	if tokens := strings.Fields(os.Getenv("WIO_TOKENS")); len(tokens) > 0 {
		c.token = tokens[number%len(tokens)]
	}
	return c, nil
}

// work sends requests until `until` or until `left` is used up; what began before `from` isn't counted.
func work(c *client, request func() (int64, error), from, until time.Time, left *atomic.Int64) tally {
	var t tally
	defer c.connection.close()
	for c.options.requests == 0 || left.Add(-1) >= 0 {
		start := time.Now()
		if c.options.requests == 0 && start.After(until) {
			break
		}
		size, err := request()
		if c.options.reconnect {
			c.connection.close()
		}
		if start.Before(from) && err == nil {
			continue
		}
		if err != nil {
			t.errors++
			if t.firstError == nil {
				t.firstError = err
			}
			time.Sleep(10 * time.Millisecond) // a server that refuses everything isn't the thing to measure
			continue
		}
		t.took = append(t.took, time.Since(start))
		t.bytes += size
	}
	return t
}

func run(o *options) (report, error) {
	var payload []byte
	if o.workload == "put" && o.size > 0 {
		payload = make([]byte, o.size)
		rand.Read(payload)
	}
	var next, left atomic.Int64
	left.Store(o.requests)
	tallies := make([]tally, o.connections)
	var running sync.WaitGroup
	from := time.Now()
	if o.requests == 0 {
		from = from.Add(o.warmup)
	}
	for i := range tallies {
		c, err := o.newClient(i, payload, &next)
		if err != nil {
			return report{}, err
		}
		request := c.workloads()[o.workload]
		if request == nil {
			return report{}, fmt.Errorf("there is no -workload %q", o.workload)
		}
		running.Add(1)
		go func() {
			defer running.Done()
			tallies[i] = work(c, request, from, from.Add(o.duration), &left)
		}()
	}
	running.Wait()
	return summary(o, tallies, time.Since(from).Seconds()), nil
}

func summary(o *options, tallies []tally, seconds float64) report {
	result := report{Workload: o.workload, Connections: o.connections, Seconds: seconds}
	var took []time.Duration
	var bytes int64
	for _, t := range tallies {
		took = append(took, t.took...)
		for i, one := range t.took {
			if i == 0 {
				result.First = max(result.First, milliseconds(one))
			} else {
				result.LaterMax = max(result.LaterMax, milliseconds(one))
			}
		}
		bytes += t.bytes
		result.Errors += t.errors
		if result.FirstError == "" && t.firstError != nil {
			result.FirstError = t.firstError.Error()
		}
	}
	slices.Sort(took)
	result.Requests = len(took)
	result.RequestsPerSecond = float64(len(took)) / seconds
	result.BytesPerSecond = float64(bytes) / seconds
	result.P50, result.P99, result.Max = percentile(took, 0.5), percentile(took, 0.99), percentile(took, 1)
	return result
}

// percentile is the nearest-rank percentile of sorted times, in milliseconds.
func percentile(sorted []time.Duration, share float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(share*float64(len(sorted)))) - 1
	return milliseconds(sorted[max(rank, 0)])
}

func milliseconds(took time.Duration) float64 {
	return float64(took.Microseconds()) / 1000
}

func main() {
	debug.SetGCPercent(400) // collecting garbage would take processor time from the server
	result, err := run(parseOptions())
	if err != nil {
		fmt.Fprintln(os.Stderr, "loadgen:", err)
		os.Exit(2)
	}
	json.NewEncoder(os.Stdout).Encode(result)
	if result.Errors > 0 {
		os.Exit(1)
	}
}
