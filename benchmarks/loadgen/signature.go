package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"sort"
	"strings"
	"time"
)

const unsignedPayload = "UNSIGNED-PAYLOAD"

// signer signs requests in headers by AWS Signature Version 4 ("Authenticating Requests (AWS Signature Version 4)",
// Amazon S3 API reference). One signer serves one connection: it keeps the key of the day and is not locked.
type signer struct {
	accessKey, secretKey, sessionToken, region, service, host string

	day string // YYYYMMDD of key
	key []byte
}

func hmacSHA256(key []byte, text string) []byte {
	hash := hmac.New(sha256.New, key)
	hash.Write([]byte(text))
	return hash.Sum(nil)
}

func hexSHA256(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// signingKey derives the key of the day: HMAC chain over date, region, service and terminator.
func (s *signer) signingKey(day string) []byte {
	if s.day != day {
		key := hmacSHA256([]byte("AWS4"+s.secretKey), day)
		for _, part := range []string{s.region, s.service, "aws4_request"} {
			key = hmacSHA256(key, part)
		}
		s.day, s.key = day, key
	}
	return s.key
}

// headers returns the signed headers and Authorization as lines of an HTTP/1.1 request. path and query are in their
// canonical form already; payloadHash is a hex SHA-256 or UNSIGNED-PAYLOAD.
func (s *signer) headers(method, path, query, payloadHash string, now time.Time) string {
	stamp := now.UTC().Format("20060102T150405Z")
	canonical := "host:" + s.host + "\nx-amz-content-sha256:" + payloadHash + "\nx-amz-date:" + stamp + "\n"
	names := "host;x-amz-content-sha256;x-amz-date"
	lines := "Host: " + s.host + "\r\nx-amz-content-sha256: " + payloadHash + "\r\nx-amz-date: " + stamp + "\r\n"
	if s.sessionToken != "" {
		canonical += "x-amz-security-token:" + s.sessionToken + "\n"
		names += ";x-amz-security-token"
		lines += "x-amz-security-token: " + s.sessionToken + "\r\n"
	}
	request := method + "\n" + path + "\n" + query + "\n" + canonical + "\n" + names + "\n" + payloadHash
	scope := stamp[:8] + "/" + s.region + "/" + s.service + "/aws4_request"
	toSign := "AWS4-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + hexSHA256([]byte(request))
	signature := hex.EncodeToString(hmacSHA256(s.signingKey(stamp[:8]), toSign))
	return lines + "Authorization: AWS4-HMAC-SHA256 Credential=" + s.accessKey + "/" + scope +
		", SignedHeaders=" + names + ", Signature=" + signature + "\r\n"
}

// uriEncode percent-encodes everything but the unreserved characters of RFC 3986, and "/" only where keepSlash says so.
func uriEncode(text string, keepSlash bool) string {
	const upperHex = "0123456789ABCDEF"
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		c := text[i]
		unreserved := 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-_.~", c) >= 0
		if unreserved || keepSlash && c == '/' {
			out.WriteByte(c)
		} else {
			out.WriteByte('%')
			out.WriteByte(upperHex[c>>4])
			out.WriteByte(upperHex[c&15])
		}
	}
	return out.String()
}

// canonicalQuery is the query string sorted by name, both sides percent-encoded; it is sent as it is signed.
func canonicalQuery(values url.Values) string {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	sort.Strings(names)
	pairs := make([]string, 0, len(names))
	for _, name := range names {
		for _, value := range values[name] {
			pairs = append(pairs, uriEncode(name, false)+"="+uriEncode(value, false))
		}
	}
	return strings.Join(pairs, "&")
}
