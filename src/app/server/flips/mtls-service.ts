/** `portcullis.admin.v1` CheckMtls, PlanFlips and MakePermissive. */

import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { handleUnaryCall } from "@grpc/grpc-js";
import { operatorPattern } from "../../../core/operator.ts";
import { nameMessage } from "../../../edge/rpc/resource-messages.ts";
import {
  CheckMtlsResponseSchema,
  MakePermissiveResponseSchema,
  PlanFlipsResponseSchema,
  type CheckMtlsRequest,
  type CheckMtlsResponse,
  type MakePermissiveRequest,
  type MakePermissiveResponse,
  type PlanFlipsRequest,
  type PlanFlipsResponse,
} from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import { assertClaim, CommandError } from "../operator-command.ts";
import { answerOrder } from "./flip-answers.ts";
import { changeOf } from "./flip-orders.ts";
import type { FlipServiceDependencies } from "./flip-service.ts";
import { makePermissive } from "./make-permissive.ts";
import { planNamespace, planRowsMax } from "./plan-namespace.ts";
import { otherMessage } from "./surroundings-messages.ts";
import { verdictMessage } from "./verdict-messages.ts";

export interface MtlsHandlers {
  readonly checkMtls: handleUnaryCall<CheckMtlsRequest, CheckMtlsResponse>;
  readonly planFlips: handleUnaryCall<PlanFlipsRequest, PlanFlipsResponse>;
  readonly makePermissive: handleUnaryCall<MakePermissiveRequest, MakePermissiveResponse>;
}

export function mtlsHandlers(dependencies: FlipServiceDependencies): MtlsHandlers {
  const { log } = dependencies;
  return {
    checkMtls: ({ request }, reply) =>
      void answerOrder(
        reply,
        log,
        request.target,
        () => check(dependencies, request),
        (result) => create(CheckMtlsResponseSchema, { result }),
      ),
    planFlips: ({ request }, reply) =>
      void answerOrder(
        reply,
        log,
        request.namespace,
        () => plan(dependencies, request),
        ({ value: refused }) => create(PlanFlipsResponseSchema, { refused }),
      ),
    makePermissive: ({ request }, reply) =>
      void answerOrder(
        reply,
        log,
        request.target,
        () => permit(dependencies, request),
        (result) => create(MakePermissiveResponseSchema, { result }),
      ),
  };
}

async function check(
  { judge, lookBacks }: FlipServiceDependencies,
  { target: text, lookBack, operator }: CheckMtlsRequest,
): Promise<CheckMtlsResponse> {
  assertClaim({ operator, reason: "check" });
  const lookBackMs = lookBacks.parse(lookBack);
  const target = judge.resolve(text);
  await lookBacks.say(lookBackMs, operator, `mtls check ${target.text}`);
  const { judgement } = await judge.judge(target, judge.planOf(target), lookBackMs);
  const value = verdictMessage(judgement);
  return create(CheckMtlsResponseSchema, { result: { case: "verdict", value } });
}

async function plan(
  dependencies: FlipServiceDependencies,
  { namespace, lookBack, operator }: PlanFlipsRequest,
): Promise<PlanFlipsResponse> {
  assertClaim({ operator, reason: "plan" });
  const lookBackMs = dependencies.lookBacks.parse(lookBack);
  await dependencies.lookBacks.say(lookBackMs, operator, `mtls plan ${namespace.slice(0, 63)}`);
  const targets = await planNamespace(dependencies, namespace, lookBackMs);
  return create(PlanFlipsResponseSchema, {
    targets: targets.map(({ target, mode, judgement, decidedBy, order, waitsFor, next }) => ({
      target,
      mode,
      order,
      waitsFor: [...waitsFor],
      next,
      ...(decidedBy && { decidedBy: nameMessage(decidedBy) }),
      ...(judgement && { verdict: verdictMessage(judgement, planRowsMax) }),
    })),
  });
}

async function permit(
  dependencies: FlipServiceDependencies,
  { target, until, owner, operator, dryRun: isDryRun }: MakePermissiveRequest,
): Promise<MakePermissiveResponse> {
  assertClaim({ operator, reason: "permissive" });
  if (owner.trim() === "" || !operatorPattern.test(owner)) {
    const message = "expected an owner of 1 to 60 printable characters";
    throw new CommandError("command-setting", message);
  }
  if (until === undefined) throw new CommandError("command-setting", "expected a date, got none");
  const order = { untilMs: timestampMs(until), owner, operator, isDryRun };
  const { edit, others, endsStrict } = await makePermissive(dependencies, target, order);
  const action = edit.before === undefined ? "created" : "configured";
  return create(MakePermissiveResponseSchema, {
    result: { case: "action", value: edit.isUnchanged ? "unchanged" : action },
    object: nameMessage(edit.ref),
    ...changeOf(edit),
    decidedByOthers: others.map(otherMessage),
    endsStrict,
  });
}
