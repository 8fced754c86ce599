package main

import (
	"bytes"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// client is one connection with its signer, doing one request after another.
type client struct {
	options     *options
	connection  *connection
	signer      *signer
	random      *rand.Rand
	payload     []byte
	payloadHash string
	next        *atomic.Int64 // the next key to write, shared by all clients

	token string // of WorkspacesIO's API

	continuation string // where this client's walk through the listing stands
	listed       int    // keys that it has seen on this walk
}

// workloads are the requests that a client can send, by name.
func (c *client) workloads() map[string]func() (int64, error) {
	return map[string]func() (int64, error){
		"get": c.get, "put": c.put, "list": c.list, "assume-role": c.assumeRole, "credential": c.credential,
	}
}

// requestPath is /bucket/key with the key percent-encoded. One verb in the pattern takes the number; of two, the first
// takes its thousands and the second the rest, so that a folder holds a thousand keys.
func (c *client) requestPath(number int64) string {
	key := c.options.keys
	switch strings.Count(key, "%") {
	case 1:
		key = fmt.Sprintf(key, number)
	case 2:
		key = fmt.Sprintf(key, number/1000, number%1000)
	}
	return "/" + uriEncode(c.options.bucket+"/"+key, true)
}

// do sends one request; returns the status and the bytes of the body that counted.
func (c *client) do(method, path, query, payloadHash string, body []byte, keepBody bool) (answer, error) {
	target := path
	if query != "" {
		target += "?" + query
	}
	head := method + " " + target + " HTTP/1.1\r\n"
	if c.options.anonymous {
		head += "Host: " + c.signer.host + "\r\n"
	} else {
		head += c.signer.headers(method, path, query, payloadHash, time.Now())
	}
	if method == "PUT" {
		head += "Content-Type: application/octet-stream\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n"
	}
	result, err := c.connection.exchange(head+"\r\n", body, keepBody)
	if err == nil && result.status != 200 {
		err = fmt.Errorf("%s %s was answered with %d: %.300s", method, target, result.status, result.body)
	}
	return result, err
}

// get reads one object whole, chosen at random among the keys, and checks its length.
func (c *client) get() (int64, error) {
	path := c.requestPath(c.random.Int64N(c.options.keyCount))
	result, err := c.do("GET", path, "", unsignedPayload, nil, false)
	if err == nil && c.options.size >= 0 && result.length != c.options.size {
		err = fmt.Errorf("GET %s gave %d bytes instead of %d", path, result.length, c.options.size)
	}
	return result.length, err
}

// put writes one object whole, to the next key.
func (c *client) put() (int64, error) {
	path := c.requestPath((c.next.Add(1) - 1) % c.options.keyCount)
	_, err := c.do("PUT", path, "", c.payloadHash, c.payload, false)
	return int64(len(c.payload)), err
}

// list reads the next page of ListObjectsV2; after the last page the walk begins anew. A walk that doesn't name
// exactly keyCount keys is an error.
func (c *client) list() (int64, error) {
	values := url.Values{"list-type": {"2"}, "max-keys": {strconv.Itoa(c.options.maxKeys)}, "prefix": {c.options.keys}}
	if c.continuation != "" {
		values.Set("continuation-token", c.continuation)
	}
	result, err := c.do("GET", "/"+c.options.bucket, canonicalQuery(values), unsignedPayload, nil, true)
	if err != nil {
		return result.length, err
	}
	c.listed += bytes.Count(result.body, []byte("<Key>"))
	if bytes.Contains(result.body, []byte("<IsTruncated>true</IsTruncated>")) {
		c.continuation = html.UnescapeString(element(result.body, "NextContinuationToken"))
		return result.length, nil
	}
	listed := c.listed
	c.continuation, c.listed = "", 0
	if int64(listed) != c.options.keyCount {
		return result.length, fmt.Errorf("a listing of %s named %d keys instead of %d", c.options.keys, listed, c.options.keyCount)
	}
	return result.length, nil
}

// assumeRole asks a server's security token service for keys that live an hour.
func (c *client) assumeRole() (int64, error) {
	body := []byte("Action=AssumeRole&Version=2011-06-15&DurationSeconds=3600")
	head := "POST / HTTP/1.1\r\n" + c.signer.headers("POST", "/", "", hexSHA256(body), time.Now()) +
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n"
	return c.keys(head, body, 200, "<SessionToken>")
}

// credential asks WorkspacesIO for keys that live an hour and cover all that the token's user reaches on a node; -bucket
// is the node's name.
func (c *client) credential() (int64, error) {
	body := []byte(`{"node":` + strconv.Quote(c.options.bucket) + `,"duration_seconds":3600}`)
	head := "POST /api/v1/credentials HTTP/1.1\r\nHost: " + c.signer.host + "\r\nAuthorization: Bearer " + c.token +
		"\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n"
	return c.keys(head, body, 201, `"session_token":"`)
}

// keys sends a request whose answer must hold keys.
func (c *client) keys(head string, body []byte, status int, held string) (int64, error) {
	result, err := c.connection.exchange(head, body, true)
	if err == nil && (result.status != status || !bytes.Contains(result.body, []byte(held))) {
		err = fmt.Errorf("a request of keys was answered with %d: %.300s", result.status, result.body)
	}
	return result.length, err
}

// element is the text of the first XML element of this name.
func element(document []byte, name string) string {
	_, rest, _ := bytes.Cut(document, []byte("<"+name+">"))
	text, _, _ := bytes.Cut(rest, []byte("</"+name+">"))
	return string(text)
}
