import { describeLostReplies } from './support/lost-replies.ts'

describeLostReplies('own Cluster')
