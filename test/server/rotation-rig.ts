/** A server in this process whose roots are rotated over its admin socket. */

import assert from "node:assert/strict";
import { decodeEntry } from "../../src/core/log/entry-codec.ts";
import type { EventEntry, EventType } from "../../src/core/log/entry.ts";
import { LogReader } from "../../src/edge/log/log-reader.ts";
import {
  changeRoot,
  fetchRootStatus,
  type RootCommand,
  type RootSource,
} from "../../src/edge/rpc/root-client.ts";
import type {
  ChangeRootResponse,
  RootChange,
  RootRefusal,
  RootStatus,
} from "../../src/gen/portcullis/admin/v1/admin_pb.ts";
import { eventually, type TestControlPlane } from "../support/control-plane.ts";

/** Those that name nothing. */
type Step = Exclude<RootCommand["kind"], "prepare" | "compromise">;

export function send(
  it: TestControlPlane,
  command: RootCommand,
  dryRun = false,
): Promise<ChangeRootResponse> {
  return changeRoot(it.controlPlane.endpoints.admin, { command, operator: "alice", dryRun });
}

export async function prepare(it: TestControlPlane, source: RootSource = {}): Promise<RootChange> {
  return doneOf(await send(it, { kind: "prepare", source }));
}

/** Once the server knows who has what: it reads that from its log when a rotation begins. */
export async function step(it: TestControlPlane, kind: Step): Promise<RootChange> {
  await eventually(async () => {
    const { result } = await send(it, { kind }, true);
    const laggards = result.case === "refused" ? result.value.laggards : [];
    return laggards.every((laggard) => laggard.kind !== "server");
  }, 20_000);
  return doneOf(await send(it, { kind }));
}

/** When its gate is open: the server may still be reading who has what. */
export async function stepWhenOpen(it: TestControlPlane, kind: Step): Promise<RootChange> {
  return await eventually(async () => {
    const { result } = await send(it, { kind });
    return result.case === "done" && result.value;
  }, 20_000);
}

export function status(it: TestControlPlane, namedMax = 0): Promise<RootStatus> {
  return fetchRootStatus(it.controlPlane.endpoints.admin, namedMax);
}

export function doneOf({ result }: ChangeRootResponse): RootChange {
  if (result.case === "done") return result.value;
  throw new assert.AssertionError({ message: `${result.value?.code}: ${result.value?.message}` });
}

export function refusedOf({ result }: ChangeRootResponse): RootRefusal {
  assert.equal(result.case, "refused");
  return result.value;
}

export function states(it: TestControlPlane): readonly string[] {
  return it.controlPlane.trust.state.authorities.map(({ state }) => state);
}

export function signer(it: TestControlPlane): string {
  return it.controlPlane.trust.authority.signer.id;
}

/** Of a running server's log, or of one that has ended. */
export function eventsOf(dataDir: string, type: EventType): readonly EventEntry[] {
  using reader = LogReader.open(dataDir);
  return Array.from({ length: reader.head().size }, (_, index) => reader.entry(index))
    .flatMap((bytes) => (bytes === undefined ? [] : [decodeEntry(bytes)]))
    .flatMap((entry) => (entry.kind === "event" && entry.type === type ? [entry] : []));
}
