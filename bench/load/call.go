package main

import (
	"bytes"
	"fmt"
	"net/url"

	"golang.org/x/net/http2/hpack"

	"portcullis/bench/load/wire"
)

// A P-256 leaf with a SPIFFE ID has some 700 characters of PEM.
const leafCharactersMin = 300

var pemBegin = []byte("-----BEGIN CERTIFICATE-----\n")

// statusNames are the gRPC status codes by number.
var statusNames = []string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
	"ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
	"OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

// call is one request and what has come back for it.
type call struct {
	pending

	httpStatus, grpcStatus, grpcMessage string
	body                                []byte
	unsent                              []byte
	window                              int64 // what the peer takes of it

	endsWithBlock bool
	unprocessed   bool

	failure, failureDetail string
}

func (c *call) reset(next pending) {
	*c = call{pending: next, body: c.body[:0]}
}

func (c *call) setHeader(field hpack.HeaderField) {
	switch field.Name {
	case ":status":
		c.httpStatus = field.Value
	case "grpc-status":
		c.grpcStatus = field.Value
	case "grpc-message":
		c.grpcMessage = field.Value
	}
}

func (c *call) fail(code, detail string) {
	c.failure, c.failureDetail = code, detail
}

// judge says what went wrong, by a code to count under and a detail to show; the code is empty if
// nothing did. A batch is one that has so many entries; 0 is a request for one certificate.
func (c *call) judge(batch int) (code, detail string) {
	switch {
	case c.failure != "":
		return c.failure, c.failureDetail
	case c.httpStatus != "200":
		return "HTTP_STATUS", "expected HTTP status 200, got " + c.httpStatus
	case c.grpcStatus == "":
		return "BAD_REPLY", "expected a grpc-status, got none"
	case c.grpcStatus != "0":
		message, err := url.PathUnescape(c.grpcMessage)
		if err != nil {
			message = c.grpcMessage
		}
		return statusName(c.grpcStatus), message
	}
	message, err := wire.Unframe(c.body)
	if err == nil && batch > 0 {
		err = checkBatch(message, batch)
	} else if err == nil {
		err = checkChain(message)
	}
	if err != nil {
		return "BAD_REPLY", err.Error()
	}
	return "", ""
}

func statusName(status string) string {
	for number, name := range statusNames {
		if status == fmt.Sprint(number) {
			return name
		}
	}
	return "STATUS_" + status
}

// checkChain checks what an Istio agent needs of cert_chain: a leaf and at least one more element.
func checkChain(message []byte) error {
	elements := 0
	for rest := message; len(rest) > 0; {
		var field wire.Field
		var err error
		if field, rest, err = wire.Next(rest); err != nil {
			return err
		}
		if field.Number != certChainField {
			continue
		}
		if !bytes.HasPrefix(field.Bytes, pemBegin) || len(field.Bytes) < leafCharactersMin {
			return fmt.Errorf("expected PEM in cert_chain[%d], got %.40q", elements, field.Bytes)
		}
		elements++
	}
	if elements < 2 {
		return fmt.Errorf("expected a leaf and a root in cert_chain, got %d elements", elements)
	}
	return nil
}
