package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"

	"golang.org/x/net/http2/hpack"
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
// nothing did.
func (c *call) judge() (code, detail string) {
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
	if err := checkChain(c.body); err != nil {
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

// checkChain checks what an Istio agent needs of IstioCertificateResponse: one whole message,
// uncompressed, with a leaf and at least one more element in cert_chain (field 1).
func checkChain(body []byte) error {
	const prefix = 5
	if len(body) < prefix || body[0] != 0 ||
		int(binary.BigEndian.Uint32(body[1:])) != len(body)-prefix {
		return errors.New("expected one uncompressed gRPC message, got something else")
	}
	elements := 0
	for rest := body[prefix:]; len(rest) > 0; elements++ {
		if rest[0] != 1<<3|2 {
			return fmt.Errorf("expected field cert_chain, got tag %#x", rest[0])
		}
		length, size := binary.Uvarint(rest[1:])
		if size <= 0 || length > uint64(len(rest)-1-size) {
			return errors.New("cert_chain is cut short")
		}
		element := rest[1+size : 1+size+int(length)]
		if !bytes.HasPrefix(element, pemBegin) || len(element) < leafCharactersMin {
			return fmt.Errorf("expected PEM in cert_chain[%d], got %.40q", elements, element)
		}
		rest = rest[1+size+int(length):]
	}
	if elements < 2 {
		return fmt.Errorf("expected a leaf and a root in cert_chain, got %d elements", elements)
	}
	return nil
}
