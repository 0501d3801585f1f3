package main

import (
	"fmt"

	"golang.org/x/net/http2"
)

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
		} else if call := c.open[f.StreamID]; call != nil {
			call.window += int64(f.Increment)
		}
		return 0, c.sendUnfinished()
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
