/** gRPC servers with the limits that a stranger meets before any work is done for him. */

import {
  logVerbosity,
  Server,
  ServerInterceptingCall,
  setLogVerbosity,
  status,
  type ServerInterceptor,
  type ServerOptions,
} from "@grpc/grpc-js";

/** A batch has at most 100 entries of a token and a CSR each; a report of a sidecar's agent has a few KiB. */
const messageBytesMax = 256 * 1_024;

const commonOptions: ServerOptions = {
  "grpc.max_receive_message_length": messageBytesMax,
  "grpc.max_concurrent_streams": 100,
  // A peer that is gone without a word is noticed.
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.enable_channelz": 0,
};

/** Over the network one that does nothing is sent away, and none stays for ever. */
const networkOptions: ServerOptions = {
  "grpc.max_connection_idle_ms": 300_000,
  "grpc.max_connection_age_ms": 3_600_000,
  "grpc.max_connection_age_grace_ms": 30_000,
};

export interface NetworkServerOptions {
  /** By when a request must have come to its end. */
  readonly requestTimeoutMs: number;
  /** Paths of methods whose requests have no end. */
  readonly endless: readonly string[];
  readonly door?: DoorOptions;
}

export interface DoorOptions {
  /** Octets of a message that is taken. */
  readonly messageMax: number;
  /** Before the handlers, for each call. */
  readonly interceptor: ServerInterceptor;
}

/** For strangers. */
export function createNetworkServer(options: NetworkServerOptions): Server {
  const { door } = options;
  const slow = endSlow(options);
  return createServer({
    ...networkOptions,
    ...(door && { "grpc.max_receive_message_length": door.messageMax }),
    interceptors: door === undefined ? [slow] : [slow, door.interceptor],
  });
}

/**
 * For a Unix socket, whose mode says who comes.
 * @param messageMax octets of one that it takes
 */
export function createLocalServer(
  messageMax: number = messageBytesMax,
  interceptors: readonly ServerInterceptor[] = [],
): Server {
  const limits = { "grpc.max_receive_message_length": messageMax };
  return createServer({ ...limits, interceptors: [...interceptors] });
}

function createServer(options: ServerOptions): Server {
  // It would print a header that it cannot read, token and all, beside our log.
  setLogVerbosity(logVerbosity.NONE);
  return new Server({ ...commonOptions, ...options });
}

/** A stream that is opened and left alone would cost its memory as long as the connection lives. */
function endSlow({ requestTimeoutMs, endless }: NetworkServerOptions): ServerInterceptor {
  const details = `expected the whole request within ${requestTimeoutMs / 1_000} s`;
  const late = { code: status.DEADLINE_EXCEEDED, details };
  return (method, call) => {
    if (endless.includes(method.path)) return new ServerInterceptingCall(call);
    return new ServerInterceptingCall(call, {
      start: (next) => {
        const timer = setTimeout(() => call.sendStatus(late), requestTimeoutMs);
        next({
          onReceiveHalfClose: (next) => {
            clearTimeout(timer);
            next();
          },
          onCancel: () => clearTimeout(timer),
        });
      },
    });
  };
}

/** Lets calls finish, but no longer than the drain time: a watch of the health has no end of its own. */
export async function shutdownGrpc(server: Server, drainMs: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const force = setTimeout(() => server.forceShutdown(), drainMs);
    server.tryShutdown(() => {
      clearTimeout(force);
      resolve();
    });
  });
}
