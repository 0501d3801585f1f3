package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/net/http2/hpack"

	"portcullis/bench/load/wire"
)

// requestsMagic opens a requests file. A big-endian uint32 with the number of records follows, then
// for each record the token and the protobuf message, each with its length as a uint32 before it.
const requestsMagic = "PCLOAD1\n"

const (
	createCertificatePath = "/istio.v1.auth.IstioCertificateService/CreateCertificate"
	signBatchPath         = "/portcullis.mesh.v1.MeshService/SignBatch"
)

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
	if least := max(o.batch, 1); o.skip+least > total || o.fresh && o.skip+o.count > total {
		return nil, fmt.Errorf("expected %d records after %d, got %d",
			o.count, o.skip, total-o.skip)
	}
	c := &corpus{}
	encoder := newBlockEncoder()
	c.opening, c.repeating = encoder.encodeCommon(o), encoder.encodeCommon(o)
	records := &recordReader{rest: rest[4:]}
	for range o.skip {
		records.next()
	}
	for range min(total-o.skip, o.count) / max(o.batch, 1) {
		var r request
		if o.batch == 0 {
			r, err = encoder.encodeSingle(records, c.repeating)
		} else {
			r, err = encodeBatch(records, o.batch, c.repeating)
		}
		if err != nil {
			return nil, err
		}
		c.list = append(c.list, r)
	}
	return c, nil
}

func (e *blockEncoder) encodeSingle(records *recordReader, repeating []byte) (request, error) {
	token, message := records.next()
	if records.err != nil {
		return request{}, records.err
	}
	block := append(bytes.Clone(repeating), e.encodeToken(token)...)
	if len(block) > frameSizeMax {
		return request{}, fmt.Errorf("expected a header block of at most %d bytes, got %d",
			frameSizeMax, len(block))
	}
	return request{block: block, data: wire.Frame(message)}, nil
}

// encodeBatch takes so many records into one request. Their tokens go into it: who sends it is said
// by the connection.
func encodeBatch(records *recordReader, batch int, repeating []byte) (r request, err error) {
	var message []byte
	for range batch {
		token, single := records.next()
		if records.err != nil {
			return r, records.err
		}
		if message, err = appendEntry(message, token, single); err != nil {
			return r, err
		}
	}
	return request{block: repeating, data: wire.Frame(message)}, nil
}

// recordReader reads one record after the other; once one is cut short, none follows.
type recordReader struct {
	rest []byte
	err  error
}

func (r *recordReader) next() (token, message []byte) {
	return r.field(), r.field()
}

func (r *recordReader) field() []byte {
	if r.err == nil && (len(r.rest) < 4 ||
		uint64(binary.BigEndian.Uint32(r.rest)) > uint64(len(r.rest)-4)) {
		r.err = errors.New("requests file is cut short")
	}
	if r.err != nil {
		return nil
	}
	length := binary.BigEndian.Uint32(r.rest)
	field := r.rest[4 : 4+length]
	r.rest = r.rest[4+length:]
	return field
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
	path := createCertificatePath
	if o.batch > 0 {
		path = signBatchPath
	}
	return e.encode(
		hpack.HeaderField{Name: ":method", Value: "POST"},
		hpack.HeaderField{Name: ":scheme", Value: "https"},
		hpack.HeaderField{Name: ":path", Value: path},
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
