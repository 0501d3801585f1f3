/** A simulated caller without a proxy: it calls when it likes, from the address that it has, with plaintext or TLS of its own. */

import type { Call } from "./call.ts";

export interface Caller {
  /** Of its WorkloadEntry; "" for one that nobody knows. */
  readonly name: string;
  readonly kind: Exclude<Call["kind"], "mtls">;
  readonly isHttp: boolean;
  readonly claim: string;
  readonly periodMs: number;
  readonly lastsMsMax: number;
  address: string;
  isCalling: boolean;
}
