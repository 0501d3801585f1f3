package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	// A stream's window is never enlarged, so it bounds a response, too.
	responseBytesMax = 1 << 20
	// Credit on the connection is given back when half of this is used.
	connectionWindow = 4 << 20
	dialTimeout      = 10 * time.Second
	// RFC 9113 6.9.2, 6.5.2: what holds until the peer's SETTINGS say otherwise.
	initialWindow          = 65535
	initialHeaderTableSize = 4096
)

// connection is one HTTP/2 connection, owned by one goroutine: reading a frame is the only place
// where it waits.
type connection struct {
	tls     *tls.Conn
	reader  *bufio.Reader
	writer  *bufio.Writer
	framer  *http2.Framer
	decoder *hpack.Decoder

	nextStream   uint32
	open         map[uint32]*call
	headersOf    *call // whose header block is being decoded
	free         []*call
	sendWindow   int64 // what the peer still takes on the connection
	streamWindow int64 // what the peer takes on a new stream
	streamsMax   int
	uncredited   uint32 // received, and not yet given back
	answered     int
	draining     bool // the peer said GOAWAY
}

// dial connects and waits for the peer's SETTINGS, as grpc-go does before it sends a request.
func dial(o *options, config *tls.Config, deadline time.Time) (*connection, error) {
	dialer := net.Dialer{Timeout: dialTimeout, Deadline: deadline}
	raw, err := tls.DialWithDialer(&dialer, "tcp", o.addr, config)
	if err != nil {
		return nil, err
	}
	c := &connection{
		tls:          raw,
		reader:       bufio.NewReaderSize(raw, 32<<10),
		writer:       bufio.NewWriterSize(raw, 32<<10),
		nextStream:   1,
		open:         make(map[uint32]*call, o.inFlight),
		sendWindow:   initialWindow,
		streamWindow: initialWindow,
		streamsMax:   o.inFlight,
	}
	c.framer = http2.NewFramer(c.writer, c.reader)
	c.framer.SetReuseFrames()
	c.framer.SetMaxReadFrameSize(frameSizeMax)
	c.decoder = hpack.NewDecoder(initialHeaderTableSize, func(field hpack.HeaderField) {
		c.headersOf.setHeader(field)
	})
	if err := c.handshake(deadline); err != nil {
		raw.Close()
		return nil, err
	}
	return c, nil
}

func (c *connection) handshake(deadline time.Time) error {
	if got := c.tls.ConnectionState().NegotiatedProtocol; got != "h2" {
		return fmt.Errorf("expected ALPN h2, got %q", got)
	}
	if err := c.tls.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := c.writer.WriteString(http2.ClientPreface); err != nil {
		return err
	}
	if err := c.framer.WriteSettings(
		http2.Setting{ID: http2.SettingEnablePush, Val: 0},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: responseBytesMax},
	); err != nil {
		return err
	}
	if err := c.framer.WriteWindowUpdate(0, connectionWindow-initialWindow); err != nil {
		return err
	}
	if err := c.writer.Flush(); err != nil {
		return err
	}
	frame, err := c.framer.ReadFrame()
	if err != nil {
		return err
	}
	settings, isSettings := frame.(*http2.SettingsFrame)
	if !isSettings || settings.IsAck() {
		return fmt.Errorf("expected SETTINGS first, got %v", frame.Header())
	}
	return c.applySettings(settings)
}

func (c *connection) applySettings(settings *http2.SettingsFrame) error {
	err := settings.ForeachSetting(func(s http2.Setting) error {
		switch s.ID {
		case http2.SettingInitialWindowSize:
			// Requests are sent whole or not at all, so streams that are open have no use for more.
			c.streamWindow = int64(s.Val)
		case http2.SettingMaxConcurrentStreams:
			c.streamsMax = int(s.Val)
		case http2.SettingHeaderTableSize:
			if s.Val < initialHeaderTableSize {
				return fmt.Errorf("expected a header table of %d bytes or more, got %d",
					initialHeaderTableSize, s.Val)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.framer.WriteSettingsAck()
}

// send starts a call, which must fit the peer's limits; the bytes leave with the next flush.
func (c *connection) send(corpus *corpus, next pending) error {
	r := corpus.at(next.index)
	block := r.block
	if c.nextStream == 1 {
		block = corpus.openingBlock(r)
	}
	stream := c.nextStream
	c.nextStream += 2
	c.open[stream] = c.newCall(next)
	if err := c.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: block, EndHeaders: true,
	}); err != nil {
		return err
	}
	c.sendWindow -= int64(len(r.data))
	for rest := r.data; ; {
		part := rest[:min(len(rest), frameSizeMax)]
		rest = rest[len(part):]
		if err := c.framer.WriteData(stream, len(rest) == 0, part); err != nil || len(rest) == 0 {
			return err
		}
	}
}

func (c *connection) newCall(next pending) *call {
	if last := len(c.free) - 1; last >= 0 {
		call := c.free[last]
		c.free = c.free[:last]
		call.reset(next)
		return call
	}
	return &call{pending: next}
}

// finish takes a call off the connection; the call may be read until the next send.
func (c *connection) finish(stream uint32) {
	c.free = append(c.free, c.open[stream])
	delete(c.open, stream)
}

// receive waits for one frame and handles it. It returns the stream that ended with it, or 0.
func (c *connection) receive() (ended uint32, err error) {
	// Whatever is buffered must leave before waiting; while input is at hand, replies still gather.
	if c.reader.Buffered() < 9 {
		if err := c.writer.Flush(); err != nil {
			return 0, err
		}
	}
	frame, err := c.framer.ReadFrame()
	if err != nil {
		return 0, err
	}
	switch f := frame.(type) {
	case *http2.DataFrame:
		return c.receiveData(f)
	case *http2.HeadersFrame:
		call := c.open[f.StreamID]
		if call == nil {
			return 0, fmt.Errorf("got HEADERS on stream %d, which is not open", f.StreamID)
		}
		call.endsWithBlock = f.StreamEnded()
		return c.receiveBlock(f.StreamID, f.HeaderBlockFragment(), f.HeadersEnded())
	case *http2.ContinuationFrame:
		return c.receiveBlock(f.StreamID, f.HeaderBlockFragment(), f.HeadersEnded())
	case *http2.RSTStreamFrame:
		if call := c.open[f.StreamID]; call != nil {
			call.fail("STREAM_RESET", "stream reset: "+f.ErrCode.String())
			return f.StreamID, nil
		}
	case *http2.SettingsFrame:
		if !f.IsAck() {
			return 0, c.applySettings(f)
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			return 0, c.framer.WritePing(true, f.Data)
		}
	case *http2.WindowUpdateFrame:
		if f.StreamID == 0 {
			c.sendWindow += int64(f.Increment)
		}
	case *http2.GoAwayFrame:
		c.draining = true
		c.markUnprocessed(f.LastStreamID)
	case *http2.PushPromiseFrame:
		return 0, fmt.Errorf("got PUSH_PROMISE, which was disabled")
	}
	return 0, nil
}

func (c *connection) receiveData(f *http2.DataFrame) (uint32, error) {
	// Padding counts, too (RFC 9113 6.9.1).
	c.uncredited += f.Length
	if c.uncredited >= connectionWindow/2 {
		if err := c.framer.WriteWindowUpdate(0, c.uncredited); err != nil {
			return 0, err
		}
		c.uncredited = 0
	}
	call := c.open[f.StreamID]
	if call == nil {
		return 0, nil // it was reset
	}
	if len(call.body)+len(f.Data()) > responseBytesMax {
		return 0, fmt.Errorf("expected a response of at most %d bytes, got more", responseBytesMax)
	}
	call.body = append(call.body, f.Data()...)
	if f.StreamEnded() {
		return f.StreamID, nil
	}
	return 0, nil
}

func (c *connection) receiveBlock(stream uint32, fragment []byte, last bool) (uint32, error) {
	// The framer has checked that nothing comes between a HEADERS frame and its CONTINUATIONs.
	c.headersOf = c.open[stream]
	if _, err := c.decoder.Write(fragment); err != nil {
		return 0, err
	}
	if !last {
		return 0, nil
	}
	if err := c.decoder.Close(); err != nil {
		return 0, err
	}
	if c.headersOf.endsWithBlock {
		return stream, nil
	}
	return 0, nil
}

// markUnprocessed notes the calls that the peer has promised not to have touched (RFC 9113 6.8).
func (c *connection) markUnprocessed(lastStream uint32) {
	for stream, call := range c.open {
		call.unprocessed = stream > lastStream
	}
}

// close says goodbye on each layer. The peer may have gone already, so there is nobody to tell
// about a failure.
func (c *connection) close() {
	_ = c.framer.WriteGoAway(0, http2.ErrCodeNo, nil)
	_ = c.writer.Flush()
	_ = c.tls.Close()
}
