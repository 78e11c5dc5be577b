export {
  type Channel,
  type ChannelItem,
  type ChannelOptions,
  type ChannelSpace,
  channel,
  type SubscribeOptions,
  type Subscription,
} from './channel.ts'
