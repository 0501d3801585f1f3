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
	unfinished   []uint32 // streams with something unsent, in the order of their start
	headersOf    *call    // whose header block is being decoded
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
			// It holds for streams that are open, too (RFC 9113 6.9.2).
			for _, call := range c.open {
				call.window += int64(s.Val) - c.streamWindow
			}
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
	if err := c.framer.WriteSettingsAck(); err != nil {
		return err
	}
	return c.sendUnfinished()
}

// send starts a call; the bytes leave with the next flush, or when the peer's windows take them.
func (c *connection) send(corpus *corpus, next pending) error {
	r := corpus.at(next.index)
	block := r.block
	if c.nextStream == 1 {
		block = corpus.openingBlock(r)
	}
	stream := c.nextStream
	c.nextStream += 2
	call := c.newCall(next)
	call.unsent, call.window = r.data, c.streamWindow
	c.open[stream] = call
	if err := c.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: block, EndHeaders: true,
	}); err != nil {
		return err
	}
	c.unfinished = append(c.unfinished, stream)
	return c.sendUnfinished()
}

func (c *connection) sendUnfinished() error {
	kept := c.unfinished[:0]
	for _, stream := range c.unfinished {
		call := c.open[stream]
		if call == nil {
			continue // the peer has not waited for the rest
		}
		if err := c.sendPart(stream, call); err != nil {
			return err
		}
		if len(call.unsent) > 0 {
			kept = append(kept, stream)
		}
	}
	c.unfinished = kept
	return nil
}

func (c *connection) sendPart(stream uint32, call *call) error {
	for len(call.unsent) > 0 {
		size := min(int64(len(call.unsent)), frameSizeMax, call.window, c.sendWindow)
		if size <= 0 {
			return nil
		}
		part := call.unsent[:size]
		call.unsent = call.unsent[size:]
		call.window -= size
		c.sendWindow -= size
		if err := c.framer.WriteData(stream, len(call.unsent) == 0, part); err != nil {
			return err
		}
	}
	return nil
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
	call := c.open[stream]
	if len(call.unsent) > 0 {
		// Answered before it was heard out. A connection that is broken shows it at the next frame.
		_ = c.framer.WriteRSTStream(stream, http2.ErrCodeCancel)
	}
	c.free = append(c.free, call)
	delete(c.open, stream)
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
