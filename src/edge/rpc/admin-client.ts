/** The operator's side of `portcullis.admin.v1`. */

import {
  create,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type MessageShape,
} from "@bufbuild/protobuf";
import { status, type ClientOptions, type Interceptor, type ServiceError } from "@grpc/grpc-js";
import { PortcullisError } from "../../core/error.ts";
import {
  AdminService,
  GetBundleRequestSchema,
  GetStatusRequestSchema,
  type GetBundleResponse,
  type GetStatusResponse,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { openAdminChannel, type AdminChannel } from "./admin-channel.ts";
import { accessError, awayError } from "./admin-error.ts";
import type { AdminTarget } from "./admin-target.ts";
import { methodDefinition } from "./service-definition.ts";
import { callUnary } from "./unary-call.ts";

/** The server has answered, and has no such method. */
export class ServerTooOldError extends PortcullisError<"server-too-old"> {
  override name = "ServerTooOldError";
}

const defaultTimeoutMs = 5_000;
/** 20,000 proxies with a few subscriptions each. */
const responseBytesMax = 64 * 1_048_576;

/** @throws AdminClientError, AdminAccessError */
export async function fetchStatus(target: AdminTarget): Promise<GetStatusResponse> {
  return await callAdmin(target, AdminService.method.getStatus, create(GetStatusRequestSchema));
}

/** @throws as `fetchStatus` */
export async function fetchBundle(target: AdminTarget): Promise<GetBundleResponse> {
  return await callAdmin(target, AdminService.method.getBundle, create(GetBundleRequestSchema));
}

/**
 * @param errorOf for what the server has answered. @default nothing: it is not there
 * @throws what `errorOf` makes of a failure, ServerTooOldError, AdminClientError
 */
export async function callAdmin<M extends DescMethodUnary>(
  target: AdminTarget,
  method: M,
  message: MessageShape<M["input"]>,
  errorOf: (error: ServiceError) => Error | undefined = () => undefined,
  timeoutMs: number = defaultTimeoutMs,
  interceptors: readonly Interceptor[] = [],
): Promise<MessageShape<M["output"]>> {
  await using channel = await openChannel(target, {
    "grpc.max_receive_message_length": responseBytesMax,
    interceptors: [...interceptors],
  });
  return await callUnary(channel.client, {
    method: methodDefinition(AdminService, method),
    message,
    metadata: channel.metadata,
    timeoutMs,
    errorOf: (error) => failureOf({ target, channel, method: method.name }, error, errorOf),
  });
}

/**
 * All that a method streams.
 * @param errorOf as of `callAdmin`
 */
export async function collectAdmin<M extends DescMethodServerStreaming>(
  target: AdminTarget,
  method: M,
  message: MessageShape<M["input"]>,
  errorOf: (error: ServiceError) => Error | undefined,
  timeoutMs: number,
): Promise<readonly MessageShape<M["output"]>[]> {
  await using channel = await openChannel(target);
  const { path, requestSerialize, responseDeserialize } = methodDefinition(AdminService, method);
  const call = channel.client.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    message,
    channel.metadata,
    { deadline: Date.now() + timeoutMs },
  );
  try {
    return await Array.fromAsync<MessageShape<M["output"]>>(call);
  } catch (error) {
    throw failureOf({ target, channel, method: method.name }, error, errorOf);
  }
}

/** @throws AdminClientError while there is no way; what a way's opening throws that waiting does not heal */
async function openChannel(
  target: AdminTarget,
  options: ClientOptions = {},
): Promise<AdminChannel> {
  try {
    return await openAdminChannel(target, options);
  } catch (error) {
    throw awayError(target, error);
  }
}

export interface FailedCall {
  readonly target: AdminTarget;
  readonly channel: Pick<AdminChannel, "failure">;
  /** As the protocol has it. */
  readonly method: string;
}

export function failureOf(
  { target, channel, method }: FailedCall,
  error: unknown,
  errorOf: (error: ServiceError) => Error | undefined,
): Error {
  if (!isServiceError(error)) return awayError(target, error);
  if (error.code === status.UNIMPLEMENTED) return tooOld(method, error);
  return (
    accessError(target, error) ??
    errorOf(error) ??
    awayError(target, typeof target === "string" ? error : (channel.failure() ?? error))
  );
}

function tooOld(method: string, cause: ServiceError): ServerTooOldError {
  const message = `the server is older than this command: it does not know ${method}`;
  return new ServerTooOldError("server-too-old", message, {
    cause,
    hint: "update the server, or use the portcullis of its version: portcullis status",
  });
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "details" in error;
}
