/** Who is nobody that the mesh knows: addresses that no WorkloadEntry has, of this host's own network and of others. */

import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { plaintextCall, pretendedCall, type CallFrom } from "./unmeshed-calls.ts";

/** Of the loopback interface they count as the called host's own. */
const loopback = Array.from({ length: 200 }, (_, at) => `127.2.9.${at + 1}`);

/** Of no loopback interface, where this machine has another one: of whom nobody knows anything at all. */
export const unknownAddress: string | undefined = Object.values(networkInterfaces())
  .flatMap((all) => all ?? [])
  .find(({ family, internal }) => family === "IPv4" && !internal)?.address;

/** Twice so many calls in plaintext as there are addresses, and some that pretend to be of the mesh. None has an answer. */
export async function flood(called: Omit<CallFrom, "localAddress">): Promise<void> {
  await Promise.all(
    loopback.map(async (address, at) => {
      const addresses = [address, address, address, unknownAddress ?? address];
      for (const localAddress of addresses) {
        assert.equal(await plaintextCall({ ...called, localAddress }), "");
      }
      const [localAddress = ""] = addresses.slice(-1);
      if (at % 4 === 0) assert.equal(await pretendedCall({ ...called, localAddress }), "");
    }),
  );
}
