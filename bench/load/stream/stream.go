// Package stream is gRPC without its library: calls on one HTTP/2 connection, message by message.
package stream

import (
	"fmt"
	"io"
	"net/http"

	"golang.org/x/net/http2"

	"portcullis/bench/load/wire"
)

const messageBytesMax = 1 << 20

// Stream is one call.
type Stream struct {
	writer   *io.PipeWriter
	response *http.Response
}

// Open starts a call with its first message, and waits for the head of the answer.
func Open(connection *http2.ClientConn, url string, header http.Header, first []byte) (*Stream, error) {
	return open(connection, url, header, first, false)
}

// Call sends the one message of a call, and gives the one that answers it.
func Call(connection *http2.ClientConn, url string, header http.Header, message []byte) ([]byte, error) {
	s, err := open(connection, url, header, message, true)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Receive()
}

func open(
	connection *http2.ClientConn, url string, header http.Header, first []byte, isLast bool,
) (*Stream, error) {
	reader, writer := io.Pipe()
	request, err := http.NewRequest(http.MethodPost, url, reader)
	if err != nil {
		return nil, err
	}
	request.Header = header.Clone()
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("Te", "trailers")
	go func() {
		// It fails with the call, which says so itself.
		_, _ = writer.Write(wire.Frame(first))
		if isLast {
			_ = writer.Close()
		}
	}()
	response, err := connection.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	return &Stream{writer, response}, nil
}

// Send is not for two at a time.
func (s *Stream) Send(message []byte) error {
	_, err := s.writer.Write(wire.Frame(message))
	return err
}

// Receive waits for the next message; the end of the call is an error, too, that names its status.
func (s *Stream) Receive() ([]byte, error) {
	message, err := wire.ReadFrame(s.response.Body, messageBytesMax)
	if err == io.EOF {
		return nil, fmt.Errorf("the call has ended: status %q %q",
			s.response.Trailer.Get("grpc-status")+s.response.Header.Get("grpc-status"),
			s.response.Trailer.Get("grpc-message")+s.response.Header.Get("grpc-message"))
	}
	return message, err
}

// Close says that nothing comes any more, and hears nothing any more.
func (s *Stream) Close() {
	_ = s.writer.Close()
	_ = s.response.Body.Close()
}
