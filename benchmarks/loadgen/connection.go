package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// connection is one keep-alive HTTP/1.1 connection. It reads just as much of HTTP as an S3 server answers, because the
// processor time of net/http would be taken from the server, which runs on the same machine.
type connection struct {
	address string
	socket  net.Conn
	reader  *bufio.Reader
	scratch []byte // where bodies that nobody keeps are read to
}

// answer is a response: body is filled only when the caller asked for it or the status is an error.
type answer struct {
	status int
	length int64
	body   []byte
}

const answerTimeout = 60 * time.Second

func newConnection(address string) *connection {
	return &connection{address: address, scratch: make([]byte, 256<<10)}
}

func (c *connection) close() {
	if c.socket != nil {
		c.socket.Close()
		c.socket = nil
	}
}

// exchange sends head and body and reads the whole response. After an error the next exchange dials again.
func (c *connection) exchange(head string, body []byte, keepBody bool) (answer, error) {
	if c.socket == nil {
		socket, err := net.Dial("tcp", c.address)
		if err != nil {
			return answer{}, err
		}
		c.socket, c.reader = socket, bufio.NewReaderSize(socket, 64<<10)
	}
	c.socket.SetDeadline(time.Now().Add(answerTimeout))
	buffers := net.Buffers{[]byte(head), body}
	if _, err := buffers.WriteTo(c.socket); err != nil {
		c.close()
		return answer{}, err
	}
	result, keepAlive, err := c.read(keepBody)
	if err != nil || !keepAlive {
		c.close()
	}
	return result, err
}

func (c *connection) line() (string, error) {
	line, err := c.reader.ReadSlice('\n')
	return strings.TrimRight(string(line), "\r\n"), err
}

// read takes one response (RFC 9112): content-length and chunked bodies; 1xx answers are passed over.
func (c *connection) read(keepBody bool) (answer, bool, error) {
	line, err := c.line()
	if err != nil {
		return answer{}, false, err
	}
	if len(line) < 12 || !strings.HasPrefix(line, "HTTP/1.1 ") {
		return answer{}, false, fmt.Errorf("not an HTTP/1.1 status line: %q", line)
	}
	status, err := strconv.Atoi(line[9:12])
	if err != nil {
		return answer{}, false, err
	}
	length, chunked, keepAlive := int64(-1), false, true
	for {
		if line, err = c.line(); err != nil {
			return answer{}, false, err
		}
		if line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch {
		case strings.EqualFold(name, "Content-Length"):
			if length, err = strconv.ParseInt(value, 10, 64); err != nil {
				return answer{}, false, err
			}
		case strings.EqualFold(name, "Transfer-Encoding"):
			chunked = strings.EqualFold(value, "chunked")
		case strings.EqualFold(name, "Connection"):
			keepAlive = !strings.EqualFold(value, "close")
		}
	}
	if status < 200 {
		return c.read(keepBody)
	}
	result := answer{status: status}
	var kept bytes.Buffer
	var sink io.Writer
	if keepBody || status >= 300 {
		sink = &kept
	}
	switch {
	case status == 204 || status == 304:
	case chunked:
		result.length, err = c.chunks(sink)
	case length >= 0:
		result.length, err = length, c.body(length, sink)
	default:
		err = errors.New("a response without a length")
	}
	result.body = kept.Bytes()
	return result, keepAlive, err
}

func (c *connection) body(length int64, sink io.Writer) error {
	for length > 0 {
		part := c.scratch
		if int64(len(part)) > length {
			part = part[:length]
		}
		n, err := c.reader.Read(part)
		if sink != nil {
			sink.Write(part[:n])
		}
		length -= int64(n)
		if err != nil && length > 0 {
			return fmt.Errorf("a body cut short by %d bytes: %w", length, err)
		}
	}
	return nil
}

func (c *connection) chunks(sink io.Writer) (int64, error) {
	var total int64
	for {
		line, err := c.line()
		if err != nil {
			return total, err
		}
		size, _, _ := strings.Cut(line, ";")
		length, err := strconv.ParseInt(strings.TrimSpace(size), 16, 64)
		if err != nil {
			return total, err
		}
		if err = c.body(length, sink); err != nil {
			return total, err
		}
		total += length
		if line, err = c.line(); err != nil || line != "" && length > 0 {
			return total, errors.Join(err, errors.New("a chunk without its end"))
		}
		if length == 0 {
			for line != "" { // trailers
				if line, err = c.line(); err != nil {
					return total, err
				}
			}
			return total, nil
		}
	}
}
