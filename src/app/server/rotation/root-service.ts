/** `portcullis.admin.v1`: the rotation of roots, from an operator's side. A refusal is an answer, and says what to do. */

import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { status, type handleUnaryCall } from "@grpc/grpc-js";
import type { PortcullisError } from "../../../core/error.ts";
import type { Laggard } from "../../../core/roll/laggard.ts";
import type { Store } from "../../../edge/store/store.ts";
import { WaiverError } from "../../../edge/store/waivers.ts";
import type { RotationRefusal } from "../../../core/trust/rotation.ts";
import { authorityIn, awaitsConfirmation } from "../../../core/trust/trust-state.ts";
import type { Logger } from "../../../edge/telemetry/logger.ts";
import {
  AddWaiversResponseSchema,
  ChangeRootResponseSchema,
  ExpandWaiverResponseSchema,
  type AddWaiversRequest,
  type AddWaiversResponse,
  type ChangeRootRequest,
  type ChangeRootResponse,
  type ExpandWaiverRequest,
  type ExpandWaiverResponse,
  type GetRootStatusRequest,
  type RootStatus,
} from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import { answerCommand, assertClaim } from "../operator-command.ts";
import { laggardMessage, laggardsOf, refusalMessage, waiverMessage } from "./root-messages.ts";
import { changeRoot, type RootCommandDependencies } from "./root-command.ts";
import type { Rotation } from "./rotation.ts";
import { rootStatus, type RootStatusDependencies } from "./root-status.ts";
import { TrustPendingError } from "./trust-changes.ts";
import { selectLaggards } from "./waiver-selector.ts";
import { WaiverRefusedError, type Waivers } from "./waivers.ts";

export interface RootServiceDependencies extends RootStatusDependencies, RootCommandDependencies {
  readonly rotation: Rotation;
  readonly store: Store;
  readonly waivers: Pick<Waivers, "current" | "add">;
  readonly log: Logger;
}

export interface RootHandlers {
  readonly getRootStatus: handleUnaryCall<GetRootStatusRequest, RootStatus>;
  readonly changeRoot: handleUnaryCall<ChangeRootRequest, ChangeRootResponse>;
  readonly expandWaiver: handleUnaryCall<ExpandWaiverRequest, ExpandWaiverResponse>;
  readonly addWaivers: handleUnaryCall<AddWaiversRequest, AddWaiversResponse>;
}

const namedDefault = 10;
const namedMost = 10_000;

export function rootHandlers(dependencies: RootServiceDependencies): RootHandlers {
  const { waivers, log } = dependencies;
  return {
    getRootStatus: ({ request }, reply) =>
      void answerCommand(reply, log, () => {
        const named = request.namedMax === 0 ? namedDefault : request.namedMax;
        return Promise.resolve(rootStatus(dependencies, Math.min(named, namedMost)));
      }),
    changeRoot: ({ request }, reply) =>
      void answerCommand(
        reply,
        log,
        async () => {
          assertClaim({ operator: request.operator, reason: "none" });
          const result = await changeRoot(dependencies, request);
          return create(ChangeRootResponseSchema, { result });
        },
        codeOf,
      ),
    expandWaiver: ({ request }, reply) =>
      void answerCommand(
        reply,
        log,
        () => {
          const kind = waivedStep(dependencies, request.command);
          const { rootsSequence } = dependencies.trust().state;
          const found = selectLaggards(laggardsAt(dependencies, kind), request.selector);
          const laggards = found.map(laggardMessage);
          const hindrance = dependencies.rotation.hindrance({ kind });
          const refused = hindrance && { refused: refusalMessage(hindrance) };
          const answer = { laggards, rootsSequence, ...refused };
          return Promise.resolve(create(ExpandWaiverResponseSchema, answer));
        },
        codeOf,
      ),
    addWaivers: ({ request }, reply) =>
      void answerCommand(
        reply,
        log,
        async () => {
          const { operator, reason, names, until, rootsSequence } = request;
          assertClaim({ operator, reason });
          const kind = waivedStep(dependencies, request.command);
          const hindrance = dependencies.rotation.hindrance({ kind });
          if (hindrance !== undefined) throw notWaived(hindrance);
          const untilMs = until ? timestampMs(until) : 0;
          await waivers.add(names, { operator, reason }, untilMs, rootsSequence);
          const fields = { event: "waived", operator, reason, count: names.length };
          log.warn(fields, "a rotation goes on without some evidence");
          const given = new Set(names);
          const added = waivers.current.filter(({ name }) => given.has(name));
          return create(AddWaiversResponseSchema, { waivers: added.map(waiverMessage) });
        },
        codeOf,
      ),
  };
}

type WaivedStep = "activate" | "retire" | "abort" | "confirm";

const waivedSteps: readonly WaivedStep[] = ["activate", "retire", "abort", "confirm"];

/** @param command as a request names it; "" for the step that comes next */
function waivedStep({ trust }: RootServiceDependencies, command: string): WaivedStep {
  const { state } = trust();
  const next = authorityIn(state, "retiring") === undefined ? "activate" : "retire";
  const usual = awaitsConfirmation(state) ? "confirm" : next;
  return waivedSteps.find((each) => each === command) ?? usual;
}

/** Of the gate that the step asks: who is waived for the one is not waived for the other. */
function laggardsAt(
  { trust, view }: RootServiceDependencies,
  step: WaivedStep,
): readonly Laggard[] {
  if (step === "activate" || step === "confirm") return laggardsOf(view.verifiers(namedMost, step));
  const outgoing = authorityIn(trust().state, step === "retire" ? "retiring" : "prepared");
  return outgoing === undefined ? [] : laggardsOf(view.holders(outgoing, namedMost));
}

/** A waiver would stay, and be for nothing. */
function notWaived({ code, message, hint }: RotationRefusal): WaiverRefusedError {
  return new WaiverRefusedError("waiver-hindered", `nobody is waived (${code}): ${message}`, {
    hint,
  });
}

function codeOf(error: PortcullisError): status | undefined {
  // In its own words: something has been changed.
  if (error instanceof TrustPendingError) return status.INTERNAL;
  if (error instanceof WaiverRefusedError) {
    return error.code === "waiver-hindered" ? status.FAILED_PRECONDITION : status.INVALID_ARGUMENT;
  }
  return error instanceof WaiverError ? status.RESOURCE_EXHAUSTED : undefined;
}
