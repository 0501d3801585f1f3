/** The operator's side of the verdicts and flips of `portcullis.admin.v1`. What is refused is answered, and not thrown. */

import { create, type DescMethodUnary, type MessageShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { status, type ServiceError } from "@grpc/grpc-js";
import {
  AddCallerWaiversRequestSchema,
  AdminService,
  CheckMtlsRequestSchema,
  EndCallerWaiverRequestSchema,
  GetFlipsRequestSchema,
  ListCallerWaiversRequestSchema,
  MakePermissiveRequestSchema,
  PlanFlipsRequestSchema,
  RevertFlipRequestSchema,
  StartFlipRequestSchema,
  type AddCallerWaiversResponse,
  type CheckMtlsResponse,
  type EndCallerWaiverResponse,
  type FlipStatus,
  type ListCallerWaiversResponse,
  type MakePermissiveResponse,
  type PlannedFlip,
  type RevertFlipResponse,
  type StartFlipResponse,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { callAdmin } from "./admin-client.ts";
import type { AdminTarget } from "./admin-target.ts";
import { CommandRefusedError } from "./command-client.ts";
import { commandErrorOf, type CommandErrors } from "./command-errors.ts";
import type {
  CallerWaiverRequest,
  CheckRequest,
  EndWaiverRequest,
  FlipRequest,
  PermissiveRequest,
  PlanRequest,
  RevertRequest,
} from "./flip-requests.ts";

/** @param address where it is called. @throws AdminClientError, CommandRefusedError */
export async function checkMtls(
  address: AdminTarget,
  { lookBack, ...rest }: CheckRequest,
): Promise<CheckMtlsResponse> {
  const request = create(CheckMtlsRequestSchema, { ...rest, lookBack: seconds(lookBack) });
  return await call(address, AdminService.method.checkMtls, request);
}

/** @param address as of `checkMtls`. @throws AdminClientError, CommandRefusedError */
export async function startFlip(
  address: AdminTarget,
  { lookBack, revertWindow, ...rest }: FlipRequest,
): Promise<StartFlipResponse> {
  const request = create(StartFlipRequestSchema, {
    ...rest,
    lookBack: seconds(lookBack),
    revertWindow: seconds(revertWindow),
  });
  return await call(address, AdminService.method.startFlip, request);
}

/** @param address as of `checkMtls`. @throws AdminClientError, CommandRefusedError */
export async function revertFlip(
  address: AdminTarget,
  request: RevertRequest,
): Promise<RevertFlipResponse> {
  const message = create(RevertFlipRequestSchema, request);
  return await call(address, AdminService.method.revertFlip, message);
}

/** Those under way, and the last one. @param address as of `checkMtls`. @throws AdminClientError, CommandRefusedError */
export async function getFlips(
  address: AdminTarget,
  target: string,
): Promise<readonly FlipStatus[]> {
  const request = create(GetFlipsRequestSchema, { target });
  const { getFlips: method } = AdminService.method;
  return (await callAdmin(address, method, request, pollErrorOf, pollTimeoutMs)).flips;
}

/** @param address as of `checkMtls`. @throws AdminClientError, CommandRefusedError */
export async function makePermissive(
  address: AdminTarget,
  { untilMs, ...rest }: PermissiveRequest,
): Promise<MakePermissiveResponse> {
  const request = create(MakePermissiveRequestSchema, { ...rest, until: timestampFromMs(untilMs) });
  return await call(address, AdminService.method.makePermissive, request);
}

/** @param address as of `checkMtls`. @throws AdminClientError, CommandRefusedError */
export async function planFlips(
  address: AdminTarget,
  { lookBack, ...rest }: PlanRequest,
): Promise<readonly PlannedFlip[]> {
  const message = create(PlanFlipsRequestSchema, { ...rest, lookBack: seconds(lookBack) });
  const { targets, refused } = await call(address, AdminService.method.planFlips, message);
  if (refused === undefined) return targets;
  const { code, message: text, hint } = refused;
  const isWord = code.startsWith("target-") || code.startsWith("look-back-");
  throw new CommandRefusedError(isWord ? "command-invalid" : "command-failed", text, { hint });
}

/** @param address as of `checkMtls`. @throws AdminClientError, CommandRefusedError */
export async function addCallerWaivers(
  address: AdminTarget,
  { names, untilMs, ...rest }: CallerWaiverRequest,
): Promise<AddCallerWaiversResponse> {
  const until = timestampFromMs(untilMs);
  const request = create(AddCallerWaiversRequestSchema, { ...rest, names: [...names], until });
  return await call(address, AdminService.method.addCallerWaivers, request);
}

/** @param address as of `checkMtls`. @throws AdminClientError, CommandRefusedError */
export async function listCallerWaivers(address: AdminTarget): Promise<ListCallerWaiversResponse> {
  const request = create(ListCallerWaiversRequestSchema);
  return await call(address, AdminService.method.listCallerWaivers, request);
}

/** @param address as of `checkMtls`. @throws AdminClientError, CommandRefusedError */
export async function endCallerWaiver(
  address: AdminTarget,
  request: EndWaiverRequest,
): Promise<EndCallerWaiverResponse> {
  const message = create(EndCallerWaiverRequestSchema, request);
  return await call(address, AdminService.method.endCallerWaiver, message);
}

/** 0 asks for the server's own. */
function seconds(value: number | undefined): bigint {
  return BigInt(value ?? 0);
}

const errors: CommandErrors = {
  look: "portcullis mtls status",
  // The log, the store and a week of evidence may have to wait for a slow disk.
  timeoutMs: 60_000,
};

function errorOf(error: ServiceError): CommandRefusedError | undefined {
  return commandErrorOf(error, errors);
}

const pollTimeoutMs = 10_000;

/** Asked each second: a server that hangs is one that does not answer. */
function pollErrorOf(error: ServiceError): CommandRefusedError | undefined {
  return error.code === status.DEADLINE_EXCEEDED ? undefined : errorOf(error);
}

async function call<M extends DescMethodUnary>(
  address: AdminTarget,
  method: M,
  message: MessageShape<M["input"]>,
): Promise<MessageShape<M["output"]>> {
  return await callAdmin(address, method, message, errorOf, errors.timeoutMs);
}
