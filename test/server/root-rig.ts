/** The root verbs against answers that a test chooses: a server that is asked what a real one is seldom asked. */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import { status, type sendUnaryData, type ServerUnaryCall } from "@grpc/grpc-js";
import { join } from "node:path";
import type { Context } from "../../src/app/cli/command.ts";
import { REGISTRY } from "../../src/app/cli/registry.ts";
import { runCli } from "../../src/app/cli/run.ts";
import { createLocalServer, shutdownGrpc } from "../../src/edge/rpc/grpc-server.ts";
import { addService } from "../../src/edge/rpc/service-definition.ts";
import { listenOnUnixSocket } from "../../src/edge/rpc/unix-listener.ts";
import {
  AddWaiversResponseSchema,
  AdminService,
  ChangeRootResponseSchema,
  ExpandWaiverResponseSchema,
  RootStatusSchema,
  type AddWaiversRequest,
  type AddWaiversResponse,
  type ChangeRootRequest,
  type ChangeRootResponse,
  type ExpandWaiverRequest,
  type ExpandWaiverResponse,
  type GetRootStatusRequest,
  type LaggardSchema,
  type RootStatus,
} from "../../src/gen/portcullis/admin/v1/admin_pb.ts";

export type StatusAnswer = MessageInitShape<typeof RootStatusSchema>;
export type LaggardAnswer = MessageInitShape<typeof LaggardSchema>;
export type ChangeAnswer = NonNullable<MessageInitShape<typeof ChangeRootResponseSchema>["result"]>;

export interface RootRig extends AsyncDisposable {
  /** `unix:///PATH`. */
  readonly admin: string;
  readonly changes: ChangeRootRequest[];
  readonly waived: AddWaiversRequest[];
  readonly namedMax: number[];
  status: () => StatusAnswer;
  change: (request: ChangeRootRequest) => ChangeAnswer;
  expand: (selector: string, command: string) => readonly LaggardAnswer[];
}

const nowMs: number = Date.UTC(2026, 10, 29, 12);

export function hoursLater(hours: number): Timestamp {
  return timestampFromMs(nowMs + hours * 3_600_000);
}

export async function openRootRig(directory: string, name = "admin.sock"): Promise<RootRig> {
  await using owned = new AsyncDisposableStack();
  const grpc = createLocalServer();
  addService(grpc, AdminService, {
    getRootStatus: (
      { request }: ServerUnaryCall<GetRootStatusRequest, RootStatus>,
      reply: sendUnaryData<RootStatus>,
    ) => {
      rig.namedMax.push(request.namedMax);
      reply(null, create(RootStatusSchema, { now: timestampFromMs(nowMs), ...rig.status() }));
    },
    changeRoot: (
      { request }: ServerUnaryCall<ChangeRootRequest, ChangeRootResponse>,
      reply: sendUnaryData<ChangeRootResponse>,
    ) => {
      rig.changes.push(request);
      reply(null, create(ChangeRootResponseSchema, { result: rig.change(request) }));
    },
    expandWaiver: (
      { request }: ServerUnaryCall<ExpandWaiverRequest, ExpandWaiverResponse>,
      reply: sendUnaryData<ExpandWaiverResponse>,
    ) => {
      const laggards = [...rig.expand(request.selector, request.command)];
      reply(null, create(ExpandWaiverResponseSchema, { laggards, rootsSequence: 9n }));
    },
    addWaivers: (
      { request }: ServerUnaryCall<AddWaiversRequest, AddWaiversResponse>,
      reply: sendUnaryData<AddWaiversResponse>,
    ) => {
      if (request.reason === "") {
        return reply({ code: status.INVALID_ARGUMENT, details: "expected a reason" });
      }
      rig.waived.push(request);
      reply(null, create(AddWaiversResponseSchema, {}));
    },
  });
  const path = join(directory, name);
  owned.use(await listenOnUnixSocket(grpc, path, 0o600));
  owned.defer(() => shutdownGrpc(grpc, 1_000));
  const rest = owned.move();
  const rig: RootRig = {
    admin: `unix://${path}`,
    changes: [],
    waived: [],
    namedMax: [],
    status: () => ({}),
    change: () => done(),
    expand: () => [],
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
  return rig;
}

/** The answer to a command that was carried out. */
export function done(...lines: readonly string[]): ChangeAnswer {
  const value = { lines: [...lines], next: "portcullis root status", epoch: 5n };
  return { case: "done", value };
}

export const proxy: LaggardAnswer = {
  kind: "proxy",
  name: "proxy/web-7@spiffe://cluster.local/ns/shop/sa/web",
  spiffeId: "spiffe://cluster.local/ns/shop/sa/web",
  reason: "not-connected",
  detail: "away for 2h",
  endsAt: hoursLater(3),
};

export const files: LaggardAnswer = {
  kind: "class",
  name: "class/files",
  reason: "unobservable",
  detail: "configured",
};

export interface VerbOutcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** @param world what differs from a program that is called by another */
export async function runWith(
  words: readonly string[],
  world: Partial<Context> = {},
): Promise<VerbOutcome> {
  const said = { stdout: "", stderr: "" };
  const status = await runCli(words, {
    stdout: { write: (text) => (said.stdout += text) },
    stderr: { write: (text) => (said.stderr += text) },
    env: { USER: "ada" },
    signal: new AbortController().signal,
    nowMs: () => nowMs,
    isTty: false,
    columns: 100,
    registry: REGISTRY,
    ...world,
  });
  return { status, ...said };
}
