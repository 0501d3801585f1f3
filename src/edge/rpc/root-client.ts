/** The operator's side of the rotation of roots in `portcullis.admin.v1`. */

import { create, type DescMethodUnary, type MessageShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceError } from "@grpc/grpc-js";
import {
  AddWaiversRequestSchema,
  AdminService,
  ChangeRootRequestSchema,
  ExpandWaiverRequestSchema,
  GetRootStatusRequestSchema,
  type ChangeRootResponse,
  type ExpandWaiverResponse,
  type RootStatus,
  type Waiver,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { callAdmin } from "./admin-client.ts";
import type { AdminTarget } from "./admin-target.ts";
import { commandErrorOf, type CommandErrors } from "./command-errors.ts";
import { commandMessage, type RootCommand } from "./root-command.ts";

export type { RootCommand, RootSource } from "./root-command.ts";

export interface RootRequest {
  readonly command: RootCommand;
  readonly operator: string;
  /** Nothing is changed. */
  readonly dryRun: boolean;
}

export interface WaiverRequest {
  /** Exactly as laggards have them. */
  readonly names: readonly string[];
  readonly reason: string;
  readonly operator: string;
  readonly untilMs: number;
  /** As `expandWaiver` has it. */
  readonly rootsSequence: bigint;
  /** As `expandWaiver` was asked. */
  readonly command?: string;
}

/**
 * @param address where it is called
 * @param namedMax how many laggards and holders are named; 0 is the server's default
 * @throws AdminClientError, CommandRefusedError
 */
export async function fetchRootStatus(address: AdminTarget, namedMax: number): Promise<RootStatus> {
  const request = create(GetRootStatusRequestSchema, { namedMax });
  return await call(address, AdminService.method.getRootStatus, request);
}

/** What is refused is answered, and not thrown. @throws AdminClientError, CommandRefusedError */
export async function changeRoot(
  address: AdminTarget,
  { command, operator, dryRun }: RootRequest,
): Promise<ChangeRootResponse> {
  const request = create(ChangeRootRequestSchema, {
    command: commandMessage(command),
    operator,
    dryRun,
  });
  return await call(address, AdminService.method.changeRoot, request);
}

/**
 * @param command whose gate; "" for the step that comes next
 * @throws AdminClientError, CommandRefusedError
 */
export async function expandWaiver(
  address: AdminTarget,
  selector: string,
  command: string,
): Promise<ExpandWaiverResponse> {
  const request = create(ExpandWaiverRequestSchema, { selector, command });
  return await call(address, AdminService.method.expandWaiver, request);
}

/** @throws AdminClientError, CommandRefusedError */
export async function addWaivers(
  address: AdminTarget,
  { names, untilMs, ...waiver }: WaiverRequest,
): Promise<readonly Waiver[]> {
  const until = timestampFromMs(untilMs);
  const request = create(AddWaiversRequestSchema, { ...waiver, names: [...names], until });
  return (await call(address, AdminService.method.addWaivers, request)).waivers;
}

/** Certificates that are being signed have to have their results, and those of a status are read from the log. */
const timeoutMs = 60_000;

const errors: CommandErrors = { look: "portcullis root status", timeoutMs };

async function call<M extends DescMethodUnary>(
  address: AdminTarget,
  method: M,
  message: MessageShape<M["input"]>,
): Promise<MessageShape<M["output"]>> {
  const errorOf = (error: ServiceError) => commandErrorOf(error, errors);
  return await callAdmin(address, method, message, errorOf, errors.timeoutMs);
}
