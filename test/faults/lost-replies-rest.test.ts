import { describeLostReplies } from './support/lost-replies.ts'

describeLostReplies('REST')
