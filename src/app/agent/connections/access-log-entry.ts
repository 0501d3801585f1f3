/** One entry of an inbound listener's access log, as far as it says what the connection was. */

export interface AccessLogEntry {
  /** The connection's; otherwise it tells of its beginning. */
  readonly isEnd: boolean;
  /** 0 where it is not said. */
  readonly port: number;
  /** Of the caller, as Envoy writes it. */
  readonly address: string;
  readonly beganMs: number;
  readonly lastedMs: number;
  /** Of the filter chain; "" for none. */
  readonly chain: string;
  /** Of the connection; "" or "0" for none. */
  readonly id: string;
  /**
   * The handshake was ended, so that what the caller has shown was his. An entry without a failure does not say so: he may have hung up
   * before he had to prove it.
   */
  readonly hasProven: boolean;
  /** No chain was for it. */
  readonly hasNoRoute: boolean;
  /** What came was no TLS that could be taken. */
  readonly hasTlsError: boolean;
  readonly hasServerName: boolean;
  /** The first URI of the certificate that he has shown, or "". */
  readonly peerUri: string;
  readonly userAgent: string;
}

export type MutableEntry = { -readonly [Key in keyof AccessLogEntry]: AccessLogEntry[Key] };

export function emptyEntry(): MutableEntry {
  return {
    isEnd: true,
    port: 0,
    address: "",
    beganMs: 0,
    lastedMs: 0,
    chain: "",
    id: "",
    hasProven: false,
    hasNoRoute: false,
    hasTlsError: false,
    hasServerName: false,
    peerUri: "",
    userAgent: "",
  };
}
