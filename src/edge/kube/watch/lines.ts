/** A stream of bytes as lines, all that have come whole at once. A line that does not end is refused before it fills the memory. */

import { KubeError } from "../kube-error.ts";

const newline = 0x0a;

/** @throws KubeError `kube-answer` for a line of more than `bytesMax`; what the stream throws */
export async function* linesOf(
  stream: AsyncIterable<Uint8Array>,
  bytesMax: number,
): AsyncGenerator<readonly string[], void, void> {
  let rest: Uint8Array[] = [];
  let restBytes = 0;
  for await (const chunk of stream) {
    const end = chunk.lastIndexOf(newline);
    if (end === -1) {
      rest.push(chunk);
      restBytes += chunk.length;
    } else {
      const whole = Buffer.concat([...rest, chunk.subarray(0, end)]).toString("utf8");
      rest = [chunk.subarray(end + 1)];
      restBytes = chunk.length - end - 1;
      yield whole.split("\n").filter((line) => line !== "");
    }
    if (restBytes > bytesMax) {
      throw new KubeError("kube-answer", `expected lines of at most ${bytesMax} bytes, got more`);
    }
  }
}
