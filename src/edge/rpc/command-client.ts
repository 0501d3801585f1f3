/** The operator's side of the commands in `portcullis.admin.v1` that change who is let in, or whether anybody is. */

import { create, type DescMethodUnary, type MessageShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { status, type ServiceError } from "@grpc/grpc-js";
import { PortcullisError } from "../../core/error.ts";
import {
  AcceptClockRequestSchema,
  AddDenialRequestSchema,
  AdminService,
  ListDenialsRequestSchema,
  RemoveDenialRequestSchema,
  type AcceptClockResponse,
  type Denial,
  type ListDenialsResponse,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { callAdmin } from "./admin-client.ts";
import type { AdminTarget } from "./admin-target.ts";
import { warningReader } from "./warnings.ts";

export type CommandRefusal =
  | "command-invalid"
  | "denial-unknown"
  | "deny-list-full"
  | "command-failed";

/** The server has answered, and has not done it; or it may have, where it has not answered in time. */
export class CommandRefusedError extends PortcullisError<CommandRefusal> {
  override name = "CommandRefusedError";
}

export interface DenialRequest {
  /** A SPIFFE ID, or a serial in hex. */
  readonly target: string;
  readonly reason: string;
  readonly operator: string;
  readonly untilMs: number | undefined;
}

export interface AddedDenial {
  readonly denial: Denial;
  readonly warnings: readonly string[];
}

/** @param address where it is called. @throws AdminClientError, CommandRefusedError */
export async function addDenial(
  address: AdminTarget,
  { untilMs, ...rest }: DenialRequest,
): Promise<AddedDenial> {
  const until = untilMs === undefined ? {} : { until: timestampFromMs(untilMs) };
  const request = create(AddDenialRequestSchema, { ...rest, ...until });
  const warnings: string[] = [];
  const denial = await command(address, AdminService.method.addDenial, request, (warning) =>
    warnings.push(warning),
  );
  return { denial, warnings };
}

/** @param address as of `addDenial`. @throws AdminClientError, CommandRefusedError */
export async function listDenials(address: AdminTarget): Promise<ListDenialsResponse> {
  const request = create(ListDenialsRequestSchema);
  return await command(address, AdminService.method.listDenials, request);
}

/** @param address as of `addDenial`. @throws AdminClientError, CommandRefusedError */
export async function removeDenial(
  address: AdminTarget,
  request: { readonly sequence: bigint; readonly reason: string; readonly operator: string },
): Promise<Denial> {
  const message = create(RemoveDenialRequestSchema, request);
  return await command(address, AdminService.method.removeDenial, message);
}

/** @param address as of `addDenial`. @throws AdminClientError, CommandRefusedError */
export async function acceptClock(
  address: AdminTarget,
  request: { readonly reason: string; readonly operator: string },
): Promise<AcceptClockResponse> {
  const message = create(AcceptClockRequestSchema, request);
  return await command(address, AdminService.method.acceptClock, message);
}

/** The log and the store may have to wait for a slow disk. */
const timeoutMs = 30_000;

async function command<M extends DescMethodUnary>(
  address: AdminTarget,
  method: M,
  message: MessageShape<M["input"]>,
  onWarning: (text: string) => void = () => {},
): Promise<MessageShape<M["output"]>> {
  const interceptors = [warningReader(onWarning)];
  return await callAdmin(address, method, message, refusalOf, timeoutMs, interceptors);
}

/** What it is called, and the next command. */
type Refusal = readonly [CommandRefusal, string?];

const refusals: ReadonlyMap<status, Refusal> = new Map<status, Refusal>([
  [status.INVALID_ARGUMENT, ["command-invalid"]],
  [status.NOT_FOUND, ["denial-unknown", "portcullis deny list"]],
  [status.RESOURCE_EXHAUSTED, ["deny-list-full", "portcullis deny remove NUMBER --reason TEXT"]],
  [status.INTERNAL, ["command-failed", "the server's own log says why"]],
]);

function refusalOf({ code, details }: ServiceError): CommandRefusedError | undefined {
  if (code === status.DEADLINE_EXCEEDED) {
    const message = `the server has not answered within ${timeoutMs / 1_000} s, and may do it yet`;
    const hint = "see what it did before you try again: portcullis deny list";
    return new CommandRefusedError("command-failed", message, { hint });
  }
  const refusal = refusals.get(code);
  if (refusal === undefined) return undefined;
  const [name, hint] = refusal;
  return new CommandRefusedError(name, details, hint === undefined ? {} : { hint });
}
