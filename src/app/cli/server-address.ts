/** `--server HOST:PORT` of the verbs that dial a control plane. */

import { parseListenAddress } from "../../edge/config/listen-address.ts";
import { UsageError } from "./usage-error.ts";

/** gRPC would dial port 443 where none is given. @throws UsageError */
export function parseServerAddress(text: string): string {
  const address = parseListenAddress(text);
  if (address !== undefined && address.port !== 0) return text;
  const reason = `expected HOST:PORT, an IPv6 host in brackets, got ${JSON.stringify(text)}`;
  throw new UsageError("usage-invalid-value", `--server: ${reason}`);
}
