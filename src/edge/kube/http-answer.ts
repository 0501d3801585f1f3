/** What an API server answers, over whatever protocol: its status, and the rest as a stream or as a text within a bound. */

import { asKubeError, KubeError } from "./kube-error.ts";

export interface HttpAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  /** Whoever stops to read ends it. */
  readonly body: AsyncIterable<Uint8Array>;
}

export interface ReadOptions {
  /** In the error's words. */
  readonly what: string;
  /** Its reason is thrown when it has cut the answer off. */
  readonly signal: AbortSignal;
}

/** @throws KubeError `kube-unreachable`, `kube-answer` beyond `bytesMax`; the reason of the signal */
export async function collect(
  answer: HttpAnswer,
  options: ReadOptions & { readonly bytesMax: number },
): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of readable(answer, options)) {
    bytes += chunk.length;
    if (bytes > options.bytesMax) {
      const message = `${options.what}: expected at most ${options.bytesMax} bytes, got more`;
      throw new KubeError("kube-answer", message);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** @throws as `collect` */
export async function* readable(
  { body }: HttpAnswer,
  { what, signal }: ReadOptions,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    for await (const chunk of body) yield chunk;
  } catch (error) {
    signal.throwIfAborted();
    throw asKubeError(error, what);
  }
}
