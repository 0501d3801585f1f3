/** One unary call as a promise. What a failure means is the caller's to say. */

import { Metadata, type Client, type MethodDefinition, type ServiceError } from "@grpc/grpc-js";

export interface UnaryCall<Request, Response> {
  readonly method: MethodDefinition<Request, Response>;
  readonly message: Request;
  readonly metadata?: Metadata;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  readonly errorOf: (error: ServiceError) => Error;
}

/** @throws what `errorOf` makes of a failure, or the reason of the signal */
export function callUnary<Request, Response>(
  client: Client,
  { method, message, metadata, timeoutMs, signal, errorOf }: UnaryCall<Request, Response>,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const pending = client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      message,
      metadata ?? new Metadata(),
      { deadline: Date.now() + timeoutMs },
      (error, response) => {
        signal?.removeEventListener("abort", cancel);
        if (error !== null) reject(signal?.aborted ? signal.reason : errorOf(error));
        else if (response !== undefined) resolve(response);
      },
    );
    const cancel = (): void => pending.cancel();
    signal?.addEventListener("abort", cancel, { once: true });
  });
}
