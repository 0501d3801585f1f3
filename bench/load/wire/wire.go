// Package wire writes and reads as much of protobuf and of gRPC's framing as a load generator needs.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	varint = 0
	bytes  = 2
)

// A gRPC message is led by a byte that says whether it is compressed, and its length.
const framePrefix = 5

var errCut = errors.New("a protobuf message is cut short")

// AppendBytes appends a length-delimited field: a string, bytes or a message.
func AppendBytes(to []byte, number int, value []byte) []byte {
	to = binary.AppendUvarint(to, uint64(number)<<3|bytes)
	to = binary.AppendUvarint(to, uint64(len(value)))
	return append(to, value...)
}

// AppendVarint appends a field that is a number or a bool.
func AppendVarint(to []byte, number int, value uint64) []byte {
	to = binary.AppendUvarint(to, uint64(number)<<3|varint)
	return binary.AppendUvarint(to, value)
}

// Field is one field of a message: a number in Varint, anything else in Bytes.
type Field struct {
	Number int
	Bytes  []byte
	Varint uint64
}

// Next reads the first field of message and gives what follows it.
func Next(message []byte) (field Field, rest []byte, err error) {
	tag, size := binary.Uvarint(message)
	if size <= 0 {
		return field, nil, errCut
	}
	field.Number, rest = int(tag>>3), message[size:]
	value, size := binary.Uvarint(rest)
	if size <= 0 {
		return field, nil, errCut
	}
	rest = rest[size:]
	switch tag & 7 {
	case varint:
		field.Varint = value
		return field, rest, nil
	case bytes:
		if value > uint64(len(rest)) {
			return field, nil, errCut
		}
		field.Bytes = rest[:value]
		return field, rest[value:], nil
	}
	return field, nil, fmt.Errorf("field %d has wire type %d, which is not expected", tag>>3, tag&7)
}

// Find gives the last length-delimited field of that number, or nil.
func Find(message []byte, number int) (found []byte, err error) {
	for len(message) > 0 {
		var field Field
		if field, message, err = Next(message); err != nil {
			return nil, err
		}
		if field.Number == number {
			found = field.Bytes
		}
	}
	return found, nil
}

// Frame frames a message as gRPC does, without compression.
func Frame(message []byte) []byte {
	framed := make([]byte, framePrefix, framePrefix+len(message))
	binary.BigEndian.PutUint32(framed[1:], uint32(len(message)))
	return append(framed, message...)
}

// Unframe gives the one message of a body.
func Unframe(body []byte) ([]byte, error) {
	if len(body) < framePrefix || body[0] != 0 ||
		int(binary.BigEndian.Uint32(body[1:])) != len(body)-framePrefix {
		return nil, errors.New("expected one uncompressed gRPC message, got something else")
	}
	return body[framePrefix:], nil
}

// ReadFrame reads one message of a stream.
func ReadFrame(from io.Reader, bytesMax uint32) ([]byte, error) {
	var prefix [framePrefix]byte
	if _, err := io.ReadFull(from, prefix[:]); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(prefix[1:])
	if prefix[0] != 0 || length > bytesMax {
		return nil, fmt.Errorf("expected an uncompressed message of at most %d bytes, got %d",
			bytesMax, length)
	}
	message := make([]byte, length)
	_, err := io.ReadFull(from, message)
	return message, err
}
