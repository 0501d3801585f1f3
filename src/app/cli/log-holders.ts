/** Who holds which certificate, by the proxies that the running server knows. Without it the log stands alone. */

import { timestampMs } from "@bufbuild/protobuf/wkt";
import { lstat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fetchStatus } from "../../edge/rpc/admin-client.ts";
import type { GetStatusResponse } from "../../gen/portcullis/admin/v1/admin_pb.ts";
import type { Context } from "./command.ts";
import { formatTimestamp } from "./format.ts";
import { parseSerial, serialHex } from "./log-lookup.ts";

export type Holder = {
  readonly proxy: string;
  readonly connected: boolean;
  /** RFC 3339. */
  readonly lastSeen: string;
};

export type Holders = ReadonlyMap<string, Holder>;

/**
 * By serial. The socket in the directory is asked and nothing else: `endpoints.json` in a copy names the server of the
 * original. Empty, with a line on stderr, when nobody answers.
 */
export async function fetchHolders(
  directory: string,
  { stderr }: Pick<Context, "stderr">,
): Promise<Holders> {
  const socket = join(resolve(directory), "admin.sock");
  try {
    if ((await lstat(socket)).isSocket()) return holdersOf(await fetchStatus(`unix://${socket}`));
  } catch {
    // Said below.
  }
  stderr.write("note: no server runs there, so nobody knows who holds what\n");
  return new Map();
}

/** Several proxies may hold one: then who was seen last. */
function holdersOf({ proxies }: GetStatusResponse): Holders {
  const holders = new Map<string, Holder>();
  for (const { proxyId, connected, lastSeen, subscriptions } of proxies) {
    const seen = lastSeen === undefined ? "" : formatTimestamp(timestampMs(lastSeen));
    for (const { serial } of subscriptions) {
      const octets = parseSerial(serial);
      if (octets === undefined) continue;
      const known = holders.get(serialHex(octets));
      const holder = { proxy: proxyId, connected, lastSeen: seen };
      if (known === undefined || rank(holder) > rank(known)) holders.set(serialHex(octets), holder);
    }
  }
  return holders;
}

function rank({ connected, lastSeen }: Holder): string {
  return `${connected ? 1 : 0}${lastSeen}`;
}
