/** The operator's side of `portcullis.admin.v1`. */

import {
  create,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type MessageShape,
} from "@bufbuild/protobuf";
import {
  Client,
  credentials,
  Metadata,
  status,
  type Interceptor,
  type ServiceError,
} from "@grpc/grpc-js";
import { PortcullisError } from "../../core/error.ts";
import {
  AdminService,
  GetBundleRequestSchema,
  GetStatusRequestSchema,
  type GetBundleResponse,
  type GetStatusResponse,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { methodDefinition } from "./service-definition.ts";
import { callUnary } from "./unary-call.ts";

export class AdminClientError extends PortcullisError<"admin-unreachable"> {
  override name = "AdminClientError";
}

/** The server has answered, and has no such method. */
export class ServerTooOldError extends PortcullisError<"server-too-old"> {
  override name = "ServerTooOldError";
}

const defaultTimeoutMs = 5_000;
/** 20,000 proxies with a few subscriptions each. */
const responseBytesMax = 64 * 1_048_576;

/** @param address a gRPC target, `unix:///PATH`. @throws AdminClientError */
export async function fetchStatus(address: string): Promise<GetStatusResponse> {
  return await callAdmin(address, AdminService.method.getStatus, create(GetStatusRequestSchema));
}

/** @param address as of `fetchStatus`. @throws AdminClientError */
export async function fetchBundle(address: string): Promise<GetBundleResponse> {
  return await callAdmin(address, AdminService.method.getBundle, create(GetBundleRequestSchema));
}

/**
 * @param errorOf for what the server has answered. @default nothing: it is not there
 * @throws what `errorOf` makes of a failure, ServerTooOldError, AdminClientError
 */
export async function callAdmin<M extends DescMethodUnary>(
  address: string,
  method: M,
  message: MessageShape<M["input"]>,
  errorOf: (error: ServiceError) => Error | undefined = () => undefined,
  timeoutMs: number = defaultTimeoutMs,
  interceptors: readonly Interceptor[] = [],
): Promise<MessageShape<M["output"]>> {
  const client = new Client(address, credentials.createInsecure(), {
    "grpc.max_receive_message_length": responseBytesMax,
    interceptors: [...interceptors],
  });
  try {
    return await callUnary(client, {
      method: methodDefinition(AdminService, method),
      message,
      timeoutMs,
      errorOf: (error) => failureOf(address, method.name, error, errorOf),
    });
  } finally {
    client.close();
  }
}

/**
 * All that a method streams.
 * @param errorOf as of `callAdmin`
 */
export async function collectAdmin<M extends DescMethodServerStreaming>(
  address: string,
  method: M,
  message: MessageShape<M["input"]>,
  errorOf: (error: ServiceError) => Error | undefined,
  timeoutMs: number,
): Promise<readonly MessageShape<M["output"]>[]> {
  const client = new Client(address, credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } = methodDefinition(AdminService, method);
  const call = client.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    message,
    new Metadata(),
    { deadline: Date.now() + timeoutMs },
  );
  try {
    return await Array.fromAsync<MessageShape<M["output"]>>(call);
  } catch (error) {
    throw failureOf(address, method.name, error, errorOf);
  } finally {
    client.close();
  }
}

/** @param method as the protocol has it */
export function failureOf(
  address: string,
  method: string,
  error: unknown,
  errorOf: (error: ServiceError) => Error | undefined,
): Error {
  if (!isServiceError(error)) return unreachable(address, error);
  if (error.code !== status.UNIMPLEMENTED) return errorOf(error) ?? unreachable(address, error);
  const message = `the server is older than this command: it does not know ${method}`;
  return new ServerTooOldError("server-too-old", message, {
    cause: error,
    hint: "update the server, or use the portcullis of its version: portcullis status",
  });
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "details" in error;
}

function unreachable(address: string, cause: unknown): AdminClientError {
  return new AdminClientError("admin-unreachable", `no server answers at ${address}`, {
    cause,
    hint: "name the running one by --data-dir DIR or --admin unix:///PATH",
  });
}
