/** No connection counts twice, however often a report of it was sent. */

import { Violation } from "../world/violation.ts";
import { namespace } from "./mesh-objects.ts";
import type { Server } from "./server.ts";
import type { FlipWorld } from "./world.ts";

export function assertCounted({ truth }: FlipWorld, { evidence }: Server): void {
  const made = new Map<string, number>();
  for (const { pod, port, address, tellings } of truth.calls) {
    const key = `${namespace}/${pod}:${port} from ${address}`;
    made.set(key, (made.get(key) ?? 0) + tellings);
  }
  const question = { kind: "members", namespace, selector: new Map(), sinceMs: 0 } as const;
  const names = new Map(evidence.ask(question).map(({ key, name }) => [key, name]));
  const members = [...names.keys()];
  const rest = { ports: undefined, sinceMs: 0, isRefusedOnly: false } as const;
  const counted = new Map<string, number>();
  for (const row of evidence.ask({ kind: "seen", members, ...rest })) {
    const { member, port, source, count } = row;
    if (source.kind !== "address") continue;
    const key = `${names.get(member)}:${port} from ${source.address}`;
    counted.set(key, (counted.get(key) ?? 0) + count);
  }
  for (const [key, count] of counted) {
    const most = made.get(key) ?? 0;
    if (count > most) throw new Violation(`${count} connections to ${key} count, of ${most}`);
  }
}
