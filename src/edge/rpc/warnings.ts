/**
 * What a server has to say about a command that it carried out: beside the reply, in its metadata, as Kubernetes does it
 * with a header. The reply stays what was asked for.
 */

import { InterceptingCall, Metadata, type Interceptor } from "@grpc/grpc-js";

const key = "portcullis-warning";

/** @param text printable ASCII, which is all that metadata can carry */
export function warningMetadata(text: string): Metadata {
  const metadata = new Metadata();
  metadata.set(key, text);
  return metadata;
}

/** Of a client. @param onWarning is called before the call's own answer comes */
export function warningReader(onWarning: (text: string) => void): Interceptor {
  return (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start: (metadata, _, next) =>
        next(metadata, {
          onReceiveMetadata: (received, nextReceived) => {
            for (const text of received.get(key)) onWarning(text.toString());
            nextReceived(received);
          },
        }),
    });
}
