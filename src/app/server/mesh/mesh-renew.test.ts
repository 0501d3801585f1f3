import assert from "node:assert/strict";
import { test } from "node:test";
import type { EncodedMessage } from "../../../edge/rpc/service-definition.ts";
import { MeshService, type MeshDependencies } from "./mesh-service.ts";
import type { Session } from "./mesh-session.ts";

for (const [stream, writable, writableNeedDrain, asked] of [
  ["that is open", true, false, 1],
  ["that has ended", false, false, 0],
  ["that does not read", true, true, 0],
] as const) {
  test(`asks ${asked === 1 ? "on" : "nothing on"} a stream ${stream}`, () => {
    const mesh = new MeshService({ streamsMax: 1 } as unknown as MeshDependencies);
    const written: EncodedMessage[] = [];
    const write = (message: EncodedMessage): void => void written.push(message);
    const call = { writable, writableNeedDrain, write };
    mesh.renew({ call } as unknown as Session, [Uint8Array.of(1)]);
    assert.equal(written.length, asked);
  });
}
