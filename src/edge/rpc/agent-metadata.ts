/** Who asks for a certificate, as the agent names itself: the log keeps it with the certificate, and the roll knows it by it. */

import { Metadata } from "@grpc/grpc-js";

const agentIdKey = "portcullis-agent-id";

/** @param agentId undefined from whoever is no agent */
export function agentMetadata(agentId: string | undefined): Metadata {
  const metadata = new Metadata();
  if (agentId !== undefined) metadata.set(agentIdKey, agentId);
  return metadata;
}
