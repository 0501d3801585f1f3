/** The verbs that judge and flip, against answers that a test chooses: a server that is asked what a real one is seldom asked. */

import {
  create,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { timestampFromMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import { status, type sendUnaryData, type ServerUnaryCall } from "@grpc/grpc-js";
import { join } from "node:path";
import { createLocalServer, shutdownGrpc } from "../../src/edge/rpc/grpc-server.ts";
import { addService } from "../../src/edge/rpc/service-definition.ts";
import { listenOnUnixSocket } from "../../src/edge/rpc/unix-listener.ts";
import {
  AddCallerWaiversResponseSchema,
  AdminService,
  CheckMtlsResponseSchema,
  GetFlipsResponseSchema,
  MakePermissiveResponseSchema,
  PlanFlipsResponseSchema,
  RevertFlipResponseSchema,
  StartFlipResponseSchema,
  type AddCallerWaiversRequest,
  type AddCallerWaiversResponse,
  type CheckMtlsRequest,
  type CheckMtlsResponse,
  type FlipRefusalSchema,
  type FlipStatusSchema,
  type GetFlipsRequest,
  type GetFlipsResponse,
  type MakePermissiveRequest,
  type MakePermissiveResponse,
  type MtlsVerdictSchema,
  type PlaintextCallerSchema,
  type PlanFlipsRequest,
  type PlanFlipsResponse,
  type RevertFlipRequest,
  type RevertFlipResponse,
  type SilentProxySchema,
  type StartFlipRequest,
  type StartFlipResponse,
} from "../../src/gen/portcullis/admin/v1/admin_pb.ts";

/** Without the message itself, so that it can be spread. */
type Init<S extends DescMessage> = Exclude<MessageInitShape<S>, MessageShape<S>>;

export type RefusalAnswer = Init<typeof FlipRefusalSchema>;
export type VerdictAnswer = Init<typeof MtlsVerdictSchema>;
export type FlipAnswer = Init<typeof FlipStatusSchema>;
export type StartAnswer = Init<typeof StartFlipResponseSchema>;
type CallerAnswer = Init<typeof PlaintextCallerSchema>;
type SilentAnswer = Init<typeof SilentProxySchema>;
type Objects = { readonly beforeJson: string; readonly afterJson: string };

export interface FlipRig extends AsyncDisposable {
  /** `unix:///PATH`. */
  readonly admin: string;
  readonly checks: CheckMtlsRequest[];
  readonly starts: StartFlipRequest[];
  readonly reverts: RevertFlipRequest[];
  readonly permissives: MakePermissiveRequest[];
  readonly plans: PlanFlipsRequest[];
  readonly waived: AddCallerWaiversRequest[];
  check: (request: CheckMtlsRequest) => MessageInitShape<typeof CheckMtlsResponseSchema>;
  start: (request: StartFlipRequest) => StartAnswer;
  revert: (request: RevertFlipRequest) => MessageInitShape<typeof RevertFlipResponseSchema>;
  permit: (request: MakePermissiveRequest) => MessageInitShape<typeof MakePermissiveResponseSchema>;
  plan: () => MessageInitShape<typeof PlanFlipsResponseSchema>;
  flips: () => readonly FlipAnswer[];
  waive: (request: AddCallerWaiversRequest) => RefusalAnswer | undefined;
}

const rigNowMs: number = Date.UTC(2026, 10, 29, 12);

export function hoursLater(hours: number): Timestamp {
  return timestampFromMs(rigNowMs + hours * 3_600_000);
}

type Unary<Request, Response> = (
  call: ServerUnaryCall<Request, Response>,
  reply: sendUnaryData<Response>,
) => void;

/** What an answer throws is a request that a server does not understand. */
function answering<Request, Response>(
  asked: Request[],
  answer: (request: Request) => Response,
): Unary<Request, Response> {
  return ({ request }, reply) => {
    asked.push(request);
    try {
      reply(null, answer(request));
    } catch (error) {
      reply({ code: status.INVALID_ARGUMENT, details: String(error) });
    }
  };
}

export async function openFlipRig(directory: string, name = "admin.sock"): Promise<FlipRig> {
  await using owned = new AsyncDisposableStack();
  const grpc = createLocalServer();
  const path = join(directory, name);
  const rig: Omit<FlipRig, typeof Symbol.asyncDispose> = {
    admin: `unix://${path}`,
    checks: [],
    starts: [],
    reverts: [],
    permissives: [],
    plans: [],
    waived: [],
    check: () => ({ result: { case: "verdict", value: safe } }),
    start: () => ({ result: { case: "flip", value: flip("editing") }, ...objects, verdict: safe }),
    revert: () => ({ result: { case: "flip", value: flip("reverting") }, ...back }),
    permit: () => ({ result: { case: "action", value: "configured" }, ...back }),
    plan: () => ({}),
    flips: () => [],
    waive: () => undefined,
  };
  const refused = (value: RefusalAnswer) => ({ case: "refused", value }) as const;
  const handlers = {
    checkMtls: answering<CheckMtlsRequest, CheckMtlsResponse>(rig.checks, (request) =>
      create(CheckMtlsResponseSchema, rig.check(request)),
    ),
    startFlip: answering<StartFlipRequest, StartFlipResponse>(rig.starts, (request) =>
      create(StartFlipResponseSchema, rig.start(request)),
    ),
    revertFlip: answering<RevertFlipRequest, RevertFlipResponse>(rig.reverts, (request) =>
      create(RevertFlipResponseSchema, rig.revert(request)),
    ),
    makePermissive: answering<MakePermissiveRequest, MakePermissiveResponse>(
      rig.permissives,
      (request) => create(MakePermissiveResponseSchema, rig.permit(request)),
    ),
    planFlips: answering<PlanFlipsRequest, PlanFlipsResponse>(rig.plans, () =>
      create(PlanFlipsResponseSchema, rig.plan()),
    ),
    getFlips: answering<GetFlipsRequest, GetFlipsResponse>([], () =>
      create(GetFlipsResponseSchema, { flips: [...rig.flips()] }),
    ),
    addCallerWaivers: answering<AddCallerWaiversRequest, AddCallerWaiversResponse>(
      rig.waived,
      (request) => {
        const refusal = rig.waive(request);
        const result =
          refusal === undefined ? ({ case: "waivers", value: {} } as const) : refused(refusal);
        return create(AddCallerWaiversResponseSchema, { result });
      },
    ),
  };
  addService(grpc, AdminService, handlers);
  owned.use(await listenOnUnixSocket(grpc, path, 0o600));
  owned.defer(() => shutdownGrpc(grpc, 1_000));
  const rest = owned.move();
  return Object.assign(rig, { [Symbol.asyncDispose]: () => rest.disposeAsync() });
}

/** Of `payments/api`, a week long, without anybody in the way. */
export const safe: VerdictAnswer = {
  target: "payments/api",
  verdict: "safe",
  now: timestampFromMs(rigNowMs),
  since: hoursLater(-7 * 24),
  mtlsConnections: 48_211n,
  proxies: 12,
  ports: [{ workload: "payments/api-0", port: 8080, mode: "permissive" }],
};

export function caller(name: string, more: CallerAnswer = {}): CallerAnswer {
  return {
    name,
    holder: "unmeshed-workload",
    addresses: ["10.0.0.9"],
    kind: "plaintext",
    called: ["payments/api-0:8080"],
    firstSeen: hoursLater(-50),
    lastSeen: hoursLater(-3),
    count: 93n,
    ...more,
  };
}

export function silent(name: string, reason: string, more: SilentAnswer = {}): SilentAnswer {
  return { name, reason, since: hoursLater(-5), ...more };
}

export const unsafe: VerdictAnswer = {
  ...safe,
  verdict: "unsafe",
  otherConnections: 93n,
  callers: [caller("legacy/cron", { claim: "curl/8.5.0" })],
};

function peer(mode: string): string {
  return JSON.stringify({
    apiVersion: "security.istio.io/v1",
    kind: "PeerAuthentication",
    metadata: { name: "api", namespace: "payments" },
    spec: { mtls: { mode }, selector: { matchLabels: { app: "api" } } },
  });
}

export const objects: Objects = { beforeJson: peer("PERMISSIVE"), afterJson: peer("STRICT") };
export const back: Objects = { beforeJson: peer("STRICT"), afterJson: peer("PERMISSIVE") };

/** Of the id 7, in three stages. */
export function flip(state: string, more: FlipAnswer = {}): FlipAnswer {
  return {
    id: 7n,
    target: "payments/api",
    state,
    operator: "ada",
    startedAt: hoursLater(-1),
    stages: ["1", "10%", "all"],
    stagesOpened: 3,
    revertWindow: 600n,
    now: timestampFromMs(rigNowMs),
    object: { kind: "PeerAuthentication", namespace: "payments", name: "api" },
    ...more,
  };
}

/** Of the states of its workloads, by name. */
export function workloads(
  states: Readonly<Record<string, string>>,
): NonNullable<FlipAnswer["workloads"]> {
  return Object.entries(states).map(([name, state]) => {
    const [its = "", draining = "0"] = state.split(" ");
    return { name: `payments/${name}`, state: its, draining: Number(draining) };
  });
}
