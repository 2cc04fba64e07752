import { ChatRuntimeProvider } from "../components/ChatRuntimeProvider";
import { Thread } from "../components/messages/Thread";
import { Conversations } from "../components/threads/Conversations";
import { Drawer } from "../components/threads/Drawer";

export default function Page() {
  return (
    <ChatRuntimeProvider>
      <div className="chat">
        <aside className="side">
          <Conversations />
        </aside>
        <Thread menu={<Drawer />} />
      </div>
    </ChatRuntimeProvider>
  );
}
