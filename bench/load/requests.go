package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/net/http2/hpack"
)

// requestsMagic opens a requests file. A big-endian uint32 with the number of records follows, then
// for each record the token and the protobuf message, each with its length as a uint32 before it.
const requestsMagic = "PCLOAD1\n"

const rpcPath = "/istio.v1.auth.IstioCertificateService/CreateCertificate"

// A block must fit one HEADERS frame of the size every peer accepts (RFC 9113 4.2); CONTINUATION is
// never sent.
const frameSizeMax = 16384

// corpus is every request, encoded.
type corpus struct {
	// opening holds the fields common to all requests as the first request of a connection sends
	// them: with additions to the dynamic table, which every later block of that connection then
	// refers to.
	opening []byte
	// repeating is the same fields as references; it starts every block in list.
	repeating []byte
	list      []request
}

type request struct {
	block []byte // header block for all but the first request of a connection
	data  []byte // length-prefixed gRPC message
}

// at gives a request by its number, from the start again after the last.
func (c *corpus) at(index int) *request {
	return &c.list[index%len(c.list)]
}

// openingBlock is the block that carries r as the first request of a connection.
func (c *corpus) openingBlock(r *request) []byte {
	return append(append([]byte{}, c.opening...), r.block[len(c.repeating):]...)
}

func readRequests(o *options) (*corpus, error) {
	file, err := os.ReadFile(o.requestsFile)
	if err != nil {
		return nil, err
	}
	rest, found := bytes.CutPrefix(file, []byte(requestsMagic))
	if !found || len(rest) < 4 {
		return nil, fmt.Errorf("%s is not a requests file", o.requestsFile)
	}
	total := int(binary.BigEndian.Uint32(rest))
	if o.skip >= total || o.fresh && o.skip+o.count > total {
		return nil, fmt.Errorf("expected %d records after %d, got %d",
			o.count, o.skip, total-o.skip)
	}
	c := &corpus{}
	encoder := newBlockEncoder()
	c.opening, c.repeating = encoder.encodeCommon(o), encoder.encodeCommon(o)
	rest = rest[4:]
	for i := 0; i < total && len(c.list) < o.count; i++ {
		token, afterToken, err := cutField(rest)
		if err != nil {
			return nil, err
		}
		message, afterMessage, err := cutField(afterToken)
		if err != nil {
			return nil, err
		}
		rest = afterMessage
		if i < o.skip {
			continue
		}
		block := append(append([]byte{}, c.repeating...), encoder.encodeToken(token)...)
		if len(block) > frameSizeMax {
			return nil, fmt.Errorf("record %d: expected a header block of at most %d bytes, got %d",
				i, frameSizeMax, len(block))
		}
		c.list = append(c.list, request{block: block, data: encodeMessage(message)})
	}
	return c, nil
}

func cutField(rest []byte) (field, after []byte, err error) {
	if len(rest) < 4 {
		return nil, nil, errors.New("requests file is cut short")
	}
	length := binary.BigEndian.Uint32(rest)
	if uint64(length) > uint64(len(rest)-4) {
		return nil, nil, errors.New("requests file is cut short")
	}
	return rest[4 : 4+length], rest[4+length:], nil
}

// encodeMessage frames a message as gRPC does: no compression, length, message.
func encodeMessage(message []byte) []byte {
	framed := make([]byte, 5, 5+len(message))
	binary.BigEndian.PutUint32(framed[1:], uint32(len(message)))
	return append(framed, message...)
}

type blockEncoder struct {
	buffer  bytes.Buffer
	encoder *hpack.Encoder
}

func newBlockEncoder() *blockEncoder {
	e := &blockEncoder{}
	e.encoder = hpack.NewEncoder(&e.buffer)
	return e
}

func (e *blockEncoder) encodeCommon(o *options) []byte {
	return e.encode(
		hpack.HeaderField{Name: ":method", Value: "POST"},
		hpack.HeaderField{Name: ":scheme", Value: "https"},
		hpack.HeaderField{Name: ":path", Value: rpcPath},
		hpack.HeaderField{Name: ":authority", Value: o.serverName},
		hpack.HeaderField{Name: "content-type", Value: "application/grpc"},
		hpack.HeaderField{Name: "user-agent", Value: "portcullis-bench-load"},
		hpack.HeaderField{Name: "te", Value: "trailers"},
	)
}

// encodeToken gives a never-indexed literal (RFC 7541 6.2.3), so that a token is sent whole each
// time: the server must not look better than with real agents, of which each has a token of its
// own. No token, no header.
func (e *blockEncoder) encodeToken(token []byte) []byte {
	if len(token) == 0 {
		return nil
	}
	value := "Bearer " + string(token)
	return e.encode(hpack.HeaderField{Name: "authorization", Value: value, Sensitive: true})
}

func (e *blockEncoder) encode(fields ...hpack.HeaderField) []byte {
	e.buffer.Reset()
	for _, field := range fields {
		// Writing to a bytes.Buffer cannot fail.
		_ = e.encoder.WriteField(field)
	}
	return bytes.Clone(e.buffer.Bytes())
}
