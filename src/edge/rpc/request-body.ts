/** The body of an HTTP request as a text, within a bound. */

import type { IncomingMessage } from "node:http";

/**
 * Whoever sends more is read no further: the connection is to be closed after the answer.
 * @returns undefined for what is longer, and for what is not UTF-8
 * @throws Error where the connection ends before it
 */
export async function readBody(
  request: IncomingMessage,
  bytesMax: number,
): Promise<string | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const length = Number(request.headers["content-length"] ?? 0);
  if (length > bytesMax) return undefined;
  request.on("data", (chunk: Uint8Array) => {
    bytes += chunk.length;
    if (bytes <= bytesMax) chunks.push(chunk);
    else {
      request.pause();
      resolve(undefined);
    }
  });
  request.once("end", () => resolve(decode(chunks)));
  request.once("error", reject);
  request.once("close", () => reject(new Error("the connection has ended before the body")));
  return await promise;
}

function decode(chunks: readonly Uint8Array[]): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    return undefined;
  }
}
