/** `openssl s_client`, with the end of its input at once. */

import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";

const timeoutMs = 5_000;

/**
 * Certificates are verified, and it ends after the handshake; with `-ign_eof`, when the peer ends it.
 *
 * @returns both of its outputs, however it went
 */
export async function sClient(args: readonly string[]): Promise<string> {
  const child = spawn("openssl", ["s_client", "-verify_return_error", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: timeoutMs,
  });
  const outputs = await Promise.all([text(child.stdout), text(child.stderr)]);
  return outputs.join("\n");
}
