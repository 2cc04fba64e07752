import { ChatRuntimeProvider } from "../components/ChatRuntimeProvider";
import { Thread } from "../components/Thread";

export default function Page() {
  return (
    <ChatRuntimeProvider>
      <Thread />
    </ChatRuntimeProvider>
  );
}
