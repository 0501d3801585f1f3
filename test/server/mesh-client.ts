/** An agent's stream as a test drives it: message by message, with any certificate. */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { status, type ServiceError } from "@grpc/grpc-js";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

import { dial } from "../../src/edge/rpc/dial.ts";
import { methodDefinition } from "../../src/edge/rpc/service-definition.ts";
import {
  ConnectRequestSchema,
  MeshService,
  type ConnectResponse,
  type EvidenceReportSchema,
} from "../../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import { mint, type TestControlPlane } from "../support/control-plane.ts";
import { dialWire, sign, WIRE_KEY } from "./grpc-wire.ts";

export interface MeshIdentity {
  readonly certificateChain: string;
  readonly privateKey: string;
}

/**
 * A certificate of `shop/NAME`, by a token that is bound to the pod `NAME-0`.
 * @param agentId who asks for it; "" is a client that knows of no agents
 */
export async function meshIdentity(
  it: TestControlPlane,
  name: string,
  ttlSeconds = 600,
  agentId = "",
): Promise<MeshIdentity> {
  await using connection = dialWire(it);
  const binding = {
    namespace: "shop",
    serviceaccount: { name, uid: "1" },
    pod: { name: `${name}-0`, uid: `uid-${name}` },
  };
  const claims = { sub: `system:serviceaccount:shop:${name}`, "kubernetes.io": binding };
  const { certChain } = await sign(connection, {
    authorization: `Bearer ${mint(claims)}`,
    ...(agentId !== "" && { headers: { "portcullis-agent-id": agentId } }),
    message: { validityDuration: BigInt(ttlSeconds) },
  });
  const privateKey = WIRE_KEY.privateKey.export({ format: "pem", type: "pkcs8" });
  return { certificateChain: certChain[0] ?? "", privateKey };
}

export interface MeshStream extends Disposable {
  readonly received: readonly ConnectResponse[];
  /** How it ended. */
  readonly ended: Promise<{ readonly code: number; readonly details: string }>;
  send(message: MessageInitShape<typeof ConnectRequestSchema>["message"]): void;
  /** @param aheadMs of its clock before ours */
  hello(agentId: string, aheadMs?: number): void;
  report(report: MessageInitShape<typeof EvidenceReportSchema>): void;
  /** Reads nothing any more. */
  deafen(): void;
  /** @returns false when the server has stopped to take reports */
  tryReport(sequence: bigint): Promise<boolean>;
  /** Closes our half, and waits for the other. */
  close(): Promise<void>;
}

const { path, requestSerialize, responseDeserialize } = methodDefinition(
  MeshService,
  MeshService.method.connect,
);

export function openMeshStream(it: TestControlPlane, identity?: MeshIdentity): MeshStream {
  const client = dial({
    server: it.address,
    serverRoots: Buffer.from(it.rootPem),
    ...(identity && { identity }),
  });
  const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  const received: ConnectResponse[] = [];
  call.on("data", (message: ConnectResponse) => received.push(message));
  const ended = new Promise<{ code: number; details: string }>((resolve) => {
    call.on("error", ({ code, details }: ServiceError) => resolve({ code, details }));
    call.on("end", () => resolve({ code: status.OK, details: "" }));
  });
  const send: MeshStream["send"] = (message) => {
    call.write(create(ConnectRequestSchema, { message } as never));
  };
  return {
    received,
    ended,
    send,
    hello: (agentId, aheadMs = 0) => {
      const agentTime = timestampFromMs(Date.now() + aheadMs);
      send({ case: "hello", value: { agentId, agentTime } });
    },
    report: (value) => send({ case: "report", value }),
    deafen: () => void call.pause(),
    tryReport: async (sequence) => {
      const message = { case: "report", value: { sequence } };
      if (call.write(create(ConnectRequestSchema, { message } as never))) return true;
      const drained = once(call, "drain").then(() => true);
      return await Promise.race([drained, sleep(1_000, false, { ref: false })]);
    },
    close: async () => {
      const closed = once(call, "status");
      call.end();
      await closed;
    },
    [Symbol.dispose]: () => {
      call.cancel();
      client.close();
    },
  };
}
